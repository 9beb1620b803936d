// policies.cc - limits and abilities of the machine, weighed.
#include "allocator/policies.h"

#include <cerrno>
#include <cstdint>

#include "platform/platform.h"

namespace lockfast::internal {
namespace {

// What the number of pages that rest unused, ready for the next secrets, is measured by: 16 MiB, and no more than a quarter of
// what may be locked, so that the rest of the program is left its share.
std::size_t idle_pages() {
  constexpr std::size_t max_bytes = std::size_t{16} << 20;
  const std::size_t quarter = platform::lock_limit() / 4;
  return (quarter < max_bytes ? quarter : max_bytes) / platform::page_size();
}

// How many more may rest for the next secrets when a program frees many at once: 64 MiB, no more than an eighth of what may be locked,
// and no more than an eighth of the maps, since a page run without neighbours alike takes two.
std::size_t spare_pages() {
  constexpr std::size_t max_bytes = std::size_t{64} << 20;
  const std::size_t eighth = platform::lock_limit() / 8;
  const std::size_t pages = (eighth < max_bytes ? eighth : max_bytes) / platform::page_size();
  const std::size_t in_maps = platform::map_limit() / 8 / 2;
  return pages < in_maps ? pages : in_maps;
}

// What a thread may keep of each size class in its thread cache: 16 KiB, and no more than a little of what may be locked.
std::size_t cache_bytes() {
  constexpr std::size_t max_bytes = std::size_t{16} << 10;
  const std::size_t little = platform::lock_limit() / 512;
  return little < max_bytes ? little : max_bytes;
}

// Why a policy hides nothing here, or 0.
platform::error hide_error_under(lockfast_hidden chosen) {
  if (chosen == LOCKFAST_HIDDEN_OFF) return ECANCELED;
  if (chosen == LOCKFAST_HIDDEN_AUTO && platform::may_hibernate()) return ECANCELED;
  return platform::hiding_error();
}

// Guard markers count against the lock limit as locked pages do, and maps do not: so where maps are scarce and locks are not,
// from an eighth of the maps on. A child whose pages are wiped would lose them.
std::size_t marked_from_maps(platform::fork_policy chosen) {
  const std::size_t maps = platform::map_limit();
  const bool locks_are_plenty = platform::lock_limit() / platform::page_size() >= maps;
  const bool wanted = locks_are_plenty && maps != SIZE_MAX && chosen != platform::fork_policy::wipe;
  return wanted && platform::has_guard_markers() ? maps / 8 : SIZE_MAX;
}

// Where a lock ends when its pages are closed, what is closed could be swapped: it is sealed at once, and keeps no pages.
sealer::when sealed_when(lockfast_rest_policy chosen) {
  if (chosen == LOCKFAST_REST_KEEP) return sealer::when::never;
  const bool at_once = chosen == LOCKFAST_REST_SEAL || platform::closed_lock_error() != 0;
  return at_once ? sealer::when::closing : sealer::when::shortage;
}

// How many sealed secrets may keep their wiped pages, to be opened again sooner: 64, and no more than an eighth of the locks.
std::size_t max_wiped_runs() {
  constexpr std::size_t most = 64;
  const std::size_t eighth = platform::lock_limit() / platform::page_size() / 8;
  if (platform::closed_lock_error() != 0) return 0;
  return eighth < most ? eighth : most;
}

platform::fork_policy fork_policy_of(lockfast_fork chosen) {
  switch (chosen) {
    case LOCKFAST_FORK_INHERIT: return platform::fork_policy::inherit;
    case LOCKFAST_FORK_WIPE: return platform::fork_policy::wipe;
    default: return platform::fork_policy::absent;
  }
}

}  // namespace

policies policies_of(const lockfast_options& options, breach_signal signal, std::size_t arena_count, bool threads_end) {
  const bool lock_required = options.lock == LOCKFAST_LOCK_REQUIRED;
  const platform::fork_policy fork = fork_policy_of(options.fork);
  const platform::error hide_error = hide_error_under(options.hidden);
  return {.of_isolated = {.lock = lock_required ? page_run::lock_wanted::always : page_run::lock_wanted::if_possible,
                          .fork = fork,
                          .trap_freed = options.freed == LOCKFAST_FREED_TRAP,
                          .idle_pages = idle_pages() / arena_count,
                          .large_idle_pages = idle_pages() / 2,
                          .signal = signal,
                          .hide_error = hide_error,
                          .marked_from_maps = marked_from_maps(fork),
                          .quarantine_holds = options.quarantine == LOCKFAST_QUARANTINE_HOLD,
                          .spare_pages = options.idle == LOCKFAST_IDLE_FEW ? 0 : spare_pages()},
          .of_grouped = {.fork = fork,
                         .signal = signal,
                         .lock_required = lock_required,
                         .thread_caches = threads_end,
                         .cache_bytes = cache_bytes(),
                         .hide_error = hide_error,
                         .quarantine_holds = options.quarantine == LOCKFAST_QUARANTINE_HOLD},
          .sealed_when = sealed_when(options.rest),
          .max_wiped_runs = max_wiped_runs()};
}

}  // namespace lockfast::internal
