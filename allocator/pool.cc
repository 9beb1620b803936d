// pool.cc - the two families; allocation in one, and the calls that go to the family that holds a secret.
#include "allocator/pool.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include "allocator/base/bytes.h"
#include "allocator/base/wipes.h"
#include "allocator/dispatch.h"
#include "allocator/notice.h"
#include "allocator/pages/fork_gate.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/policies.h"
#include "allocator/process.h"
#include "platform/thread_local.h"
#include "platform/vectors.h"

namespace lockfast::internal {
namespace {

// Which arena of each pool this thread uses, given out in turn.
constexpr unsigned no_arena = ~0U;

constinit std::atomic<unsigned> threads_seen = 0;
LOCKFAST_OF_THREAD unsigned thread_arena = no_arena;

constexpr lockfast_options native_defaults = {.lock = LOCKFAST_LOCK_REQUIRED,
                                              .hidden = LOCKFAST_HIDDEN_AUTO,
                                              .fork = LOCKFAST_FORK_ABSENT,
                                              .freed = LOCKFAST_FREED_TRAP,
                                              .placement = LOCKFAST_PLACEMENT_ISOLATED,
                                              .crash = LOCKFAST_CRASH_NONE,
                                              .native_placement = LOCKFAST_PLACEMENT_GROUPED,
                                              .notice = LOCKFAST_NOTICE_NONE,
                                              .quarantine = LOCKFAST_QUARANTINE_YIELD,
                                              .environment = LOCKFAST_ENVIRONMENT_READ,
                                              .rest = LOCKFAST_REST_AUTO,
                                              .report_map = LOCKFAST_REPORT_MAP_OFF,
                                              .report_addresses = LOCKFAST_REPORT_ADDRESSES_OFF,
                                              .report = nullptr,
                                              .idle = LOCKFAST_IDLE_AUTO,
                                              .reserved = {}};
constexpr lockfast_options drop_in_defaults = [] {
  lockfast_options options = native_defaults;
  options.lock = LOCKFAST_LOCK_PREFERRED;
  options.fork = LOCKFAST_FORK_INHERIT;
  return options;
}();

}  // namespace

constinit pool pool::native_(native_family, native_defaults, breach_signal::abort);
constinit pool pool::drop_in_(drop_in_family, drop_in_defaults, breach_signal::access_violation);
constinit pool* const pool::all_[] = {&native_, &drop_in_};

void pool::start(const lockfast_options& options, bool threads_end) {
  options_ = options;
  policies chosen = policies_of(options_, signal_, arena_count, threads_end);
  // What is built for libsodium counts on this, up to a cache line, which is the widest vector too.
  if (grouped_.family() == drop_in_family) chosen.of_grouped.natural_alignment = 64;
  sealer_.start(chosen.sealed_when, chosen.of_isolated.fork, chosen.of_isolated.hide_error, chosen.max_wiped_runs);
  if (chosen.sealed_when != sealer::when::never) chosen.of_isolated.rest = &sealer_;
  for (isolated_arena& arena : isolated_) arena.start(chosen.of_isolated);
  grouped_.start(chosen.of_grouped);
  groups_at_once_ = options_.placement == LOCKFAST_PLACEMENT_GROUPED && options_.notice == LOCKFAST_NOTICE_NONE;
  started_.store(true, std::memory_order_release);
}

platform::error pool::ensure_started() {
  if (!has_started()) {
    if (const auto refusal = process::start(*this); refusal != 0) return refusal;
  }
  if (process::has_survived()) process::renew_crash_handler();
  return 0;
}

void* pool::refuse(platform::error refusal) {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  errno = refusal;
  return nullptr;
}

std::size_t pool::arena_of_thread() {
  unsigned& mine = platform::of_thread(thread_arena);
  if (mine == no_arena) mine = threads_seen.fetch_add(1, std::memory_order_relaxed) % arena_count;
  return mine;
}

template <class Attempt>
allocated pool::allocate_or_trim(Attempt attempt) const {
  allocated made = attempt(slab_bin::growth::locked);
  if (made.address == nullptr && is_shortage(made.refusal) && process::trim(trimming::shortage) != 0)
    made = attempt(slab_bin::growth::locked);
  while (made.address == nullptr && is_shortage(made.refusal) && process::seal_some() != 0) {
    made = attempt(slab_bin::growth::locked);
  }
  if (made.address == nullptr && is_shortage(made.refusal) && options_.lock == LOCKFAST_LOCK_PREFERRED) {
    made = attempt(slab_bin::growth::if_possible);
  }
  if (made.address == nullptr) made.refusal = ENOMEM;
  if (lock_watch::lost()) [[unlikely]]
    process::renew_locks();
  return made;
}

allocated pool::make_isolated(std::size_t size, std::size_t alignment, int value) {
  if (size > isolated_arena::max_size || alignment > isolated_arena::max_alignment) return {nullptr, ENOMEM};
  isolated_arena& arena = isolated_[arena_of_thread()];
  allocated made = arena.allocate(size, alignment, value);
  // The arena has given up what it keeps idle itself; the others may do.
  if (made.address == nullptr && process::trim(trimming::shortage) != 0) made = arena.allocate(size, alignment, value);
  if (made.address == nullptr && process::seal_for(size) != 0) made = arena.allocate(size, alignment, value);
  if (lock_watch::lost()) [[unlikely]]
    process::renew_locks();
  return made;
}

allocated pool::make(std::size_t size, std::size_t alignment, int value) {
  const bool isolates = grouped_.family() == native_family && options_.native_placement == LOCKFAST_PLACEMENT_ISOLATED;
  if (isolates || !grouped_heap::takes(size, alignment)) return make_isolated(size, alignment, value);
  return allocate_or_trim(
      [&](slab_bin::growth allowed) { return grouped_.allocate(size, alignment, value, arena_of_thread(), allowed); });
}

template <std::uint8_t family>
void* pool::allocate_slow(std::size_t size) {
  std::byte* const made = grouped_heap::allocate_cached(family, size);
  return made != nullptr ? made : of<family>().allocate_anywhere(size, 1, 0);
}
template void* pool::allocate_slow<native_family>(std::size_t size);
template void* pool::allocate_slow<drop_in_family>(std::size_t size);

void* pool::allocate_anywhere(std::size_t size, std::size_t alignment, int value) {
  if (const auto refusal = ensure_started(); refusal != 0) return refuse(refusal);
  return address_or_errno(make(size, alignment, value));
}

void* pool::allocate_isolated(std::size_t size, std::size_t alignment, int value) {
  if (const auto refusal = ensure_started(); refusal != 0) return refuse(refusal);
  return address_or_errno(make_isolated(size, alignment, value));
}

void* pool::allocate_for_drop_in(std::size_t size, int value) {
  if (const auto refusal = drop_in_.ensure_started(); refusal != 0) return drop_in_.refuse(refusal);
  return drop_in_.groups_at_once_ ? drop_in_.allocate_grouped(size, value) : drop_in_.allocate_as_chosen(size, value);
}

void* pool::allocate_grouped(std::size_t size, int value) {
  slot_ref ready;
  std::byte* const made = grouped_heap::take_ready(drop_in_family, size, ready)
                              ? ready.in->occupy_fast(ready.index, size)
                              : grouped_heap::allocate_cached(drop_in_family, size);
  if (made == nullptr) return allocate_anywhere(size, 1, value);
  fill(made, value, size);
  return made;
}

void* pool::allocate_as_chosen(std::size_t size, int value) {
  const bool group = options_.placement == LOCKFAST_PLACEMENT_GROUPED;
  void* const made = group ? allocate_grouped(size, value) : allocate_isolated(size, 1, value);
  notice(made);
  return made;
}

void pool::notice(const void* secret) const {
  if (options_.notice != LOCKFAST_NOTICE_STDERR || secret == nullptr) return;
  lockfast_receipt receipt;
  if (describe(secret, account::records, receipt) == 0) announce_weakness(receipt);
}

template <class InSlab, class InSpan>
auto pool::require(const void* secret, InSlab in_slab, InSpan in_span) const {
  using made = decltype(in_slab(std::declval<slab&>()));
  return dispatch(secret, in_slab, in_span, [this](breach reason) -> made { end_process(reason, signal_); });
}

template <std::uint8_t family>
void pool::deallocate_slow(void* secret) {
  if (secret == nullptr || grouped_heap::deallocate_cached(family, static_cast<std::byte*>(secret))) return;
  of<family>().deallocate_anywhere(secret);
}
template void pool::deallocate_slow<native_family>(void* secret);
template void pool::deallocate_slow<drop_in_family>(void* secret);

void pool::deallocate_grouped(slab& in, const std::byte* secret) {
  grouped_heap& family = pool_of(in).grouped_;
  if (in.within == nullptr || in.absent_count != 0) {
    family.deallocate(in, secret);
    return;
  }
  const std::size_t index = grouped_heap::claim(in, secret);
  family.count_frees(1);
  in.within->deallocate({&in, index});
}

void pool::deallocate_anywhere(void* secret) {
  const auto* const bytes = static_cast<const std::byte*>(secret);
  require(secret, [&](slab& in) { deallocate_grouped(in, bytes); }, [&](span& at) { at.home.owner().deallocate(bytes, at); });
}

allocated pool::reallocate_grouped(slab& in, void* secret, std::size_t size) {
  const std::size_t index = grouped_heap::claim(in, secret);
  if (in.absent_count != 0) return {nullptr, ENOMEM};
  if (in.within != nullptr) {
    if (size > compartment::max_size) return {nullptr, ENOMEM};
    return allocate_or_trim([&](slab_bin::growth allowed) { return in.within->reallocate({&in, index}, size, allowed); });
  }
  if (!in.intact(index)) end_process(breach::broken_canary, in.signal);
  auto* const bytes = static_cast<std::byte*>(secret);
  const std::size_t before = in.size(index);
  const bool stays = size <= size_class::max_capacity && size_class::of(size) == in.class_index && in.fits(index, size);
  const wipes::look before_copy;
  const allocated moved = stays ? allocated{nullptr, 0} : make(size, 1, 0);
  if (moved.address == nullptr && (stays || size <= before)) {
    in.resize(index, size);
    return {bytes, 0};
  }
  if (moved.address == nullptr) return moved;
  platform::copy(moved.address, bytes, size < before ? size : before);
  if (before_copy.wiped()) wipe(moved.address, size);
  grouped_.deallocate(in, bytes);
  return moved;
}

allocated pool::reallocate_with_access(slab& in, void* secret, std::size_t size) {
  const std::size_t index = grouped_heap::claim(in, secret);
  const bool has_own = in.within == nullptr && in.absent_count == 0;
  const auto kept = has_own ? grouped_.open(in, index) : platform::access::read_write;
  const allocated made = reallocate_grouped(in, secret, size);
  if (kept != platform::access::read_write && protect(made.address != nullptr ? made.address : secret, kept) != 0) {
    end_process(breach::access_refused, signal_);
  }
  return made;
}

allocated pool::reallocate_isolated(span& at, const void* secret, std::size_t size) {
  if (size > isolated_arena::max_size) return {nullptr, ENOMEM};
  const auto* const bytes = static_cast<const std::byte*>(secret);
  isolated_arena& arena = at.home.owner();
  auto moved = arena.reallocate(bytes, at, size);
  if (moved.address == nullptr && process::trim(trimming::shortage) + process::seal_for(size) != 0) {
    moved = arena.reallocate(bytes, at, size);
  }
  return moved;
}

void* pool::reallocate(void* secret, std::size_t size) {
  return address_or_errno(require(
      secret, [&](slab& in) { return pool_of(in).reallocate_with_access(in, secret, size); },
      [&](span& at) { return reallocate_isolated(at, secret, size); }));
}

platform::error pool::protect(void* secret, platform::access to) {
  const auto refusal = change_access(secret, to);
  if (refusal == 0 && this == &drop_in_) notice(secret);
  return refusal;
}

platform::error pool::change_access(void* secret, platform::access to) {
  return require(
      secret,
      [&](slab& in) -> platform::error {
        (void)grouped_heap::claim(in, secret);
        if (in.absent_count != 0) return ENOMEM;
        if (in.within != nullptr) return in.within->protect(to);
        // libsodium's clients count on it; who asks by lockfast_protect is told that it is no one secret's.
        return this == &drop_in_ && in.family == drop_in_family ? grouped_.protect(in, secret, to) : ENOTSUP;
      },
      [&](span& at) { return at.home.owner().protect(static_cast<const std::byte*>(secret), at, to); });
}

platform::error pool::check_grouped(slab& in, const void* secret) {
  const std::size_t index = in.index_of(secret);
  if (!in.holds(index, secret) || in.absent_count != 0) return EINVAL;
  if (in.within == nullptr) return grouped_heap::check(in, index);
  return in.within->while_writable([&] { return in.intact(index) ? 0 : EFAULT; });
}

platform::error pool::check(const void* secret) {
  return dispatch(
      secret, [&](slab& in) { return check_grouped(in, secret); },
      [&](span& at) { return at.home.owner().check(static_cast<const std::byte*>(secret), at); },
      [](breach) -> platform::error { return EINVAL; });
}

platform::error pool::describe(const void* secret, account by, lockfast_receipt& receipt) {
  const auto refusal = describe_as(secret, by, receipt);
  if (refusal == 0 && receipt.lock_error == ECANCELED) lock_watch::see_loss();
  return refusal;
}

platform::error pool::describe_as(const void* secret, account by, lockfast_receipt& receipt) {
  return dispatch(
      secret,
      [&](slab& in) {
        const auto shared = in.within == nullptr ? std::nullopt : std::optional(in.within->current_access());
        return pool_of(in).grouped_.describe(in, secret, shared, by, receipt);
      },
      [&](span& at) { return at.home.owner().describe(static_cast<const std::byte*>(secret), at, by, receipt); },
      [](breach) -> platform::error { return EINVAL; });
}

compartment* pool::make_compartment() {
  if (const auto refusal = ensure_started(); refusal != 0) {
    (void)refuse(refusal);
    return nullptr;
  }
  compartment* const made = compartment::create(grouped_);
  if (made == nullptr) (void)refuse(ENOMEM);
  return made;
}

void* pool::allocate_in(compartment& within, std::size_t size, int value) {
  if (size > compartment::max_size) return refuse(ENOMEM);
  return address_or_errno(allocate_or_trim([&](slab_bin::growth allowed) { return within.allocate(size, value, allowed); }));
}

bool pool::owns(const void* address) { return region::holding(address) != nullptr; }

std::size_t pool::give_key_back() {
  const fork_gate::scope inside;
  return has_started() && has_no_isolated(this) ? sealer_.give_key_back(has_no_isolated, this) : 0;
}

bool pool::has_no_isolated(void* of) {
  struct lockfast_statistics counts = {};
  for (isolated_arena& arena : static_cast<pool*>(of)->isolated_) arena.add_to(counts);
  return counts.live_isolated == 0;
}

}  // namespace lockfast::internal
