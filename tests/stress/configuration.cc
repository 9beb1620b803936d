// configuration.cc - the configurations, and how a process comes into one.
#include "stress/configuration.h"

#include <grp.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "fuzz/probe.h"
#include "support/child.h"
#include "support/page_state.h"

namespace lockfast::stress {
namespace {

constexpr std::size_t kibibyte = 1024;

constexpr configuration all[] = {
    {.name = "default", .options = ""},
    {.name = "locked", .options = "hidden=off,report_map=on"},
    {.name = "hidden", .options = "hidden=on"},
    {.name = "recycle", .options = "freed=recycle,hidden=off"},
    {.name = "seal", .options = "rest=seal"},
    {.name = "keep", .options = "rest=keep,idle=few"},
    {.name = "inherit", .options = "fork=inherit", .native_fork = LOCKFAST_FORK_INHERIT},
    {.name = "wipe", .options = "fork=wipe", .native_fork = LOCKFAST_FORK_WIPE, .drop_in_fork = LOCKFAST_FORK_WIPE},
    {.name = "absent", .options = "fork=absent,rest=seal", .drop_in_fork = LOCKFAST_FORK_ABSENT},
    {.name = "grouped", .options = "placement=grouped,hidden=off"},
    {.name = "isolated", .options = "native_placement=isolated"},
    {.name = "few-locks", .options = "lock=required,hidden=off,quarantine=hold", .lock_limit = 256 * kibibyte},
    {.name = "few-hidden", .options = "lock=required,hidden=on", .lock_limit = 256 * kibibyte},
    {.name = "unlocked", .options = "lock=preferred,hidden=off", .lock_limit = 64 * kibibyte},
    {.name = "small", .options = "", .lock_limit = 64 * kibibyte},
    {.name = "few-maps", .options = "lock=required,hidden=off", .maps_left = 600},
};

std::size_t map_limit() {
  std::size_t limit = 65530;
  std::ifstream("/proc/sys/vm/max_map_count") >> limit;
  return limit;
}

std::size_t maps_now() {
  std::ifstream maps("/proc/self/maps");
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
}

// Pages whose access differs from that of their neighbours.
void use_up_maps(std::size_t left) {
  const std::size_t count = map_limit() - maps_now() - left;
  void* const pages = mmap(nullptr, count * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  prove(pages != MAP_FAILED, "pages to use maps up with");
  for (std::size_t page = 1; page < count; page += 2) {
    if (mprotect(static_cast<char*>(pages) + page * page_size(), page_size(), PROT_READ) != 0) return;
  }
}

void become_ordinary_user() {
  constexpr unsigned nobody = 65534;
  if (geteuid() != 0) return;
  prove(setgroups(0, nullptr) == 0 && setresgid(nobody, nobody, nobody) == 0 && setresuid(nobody, nobody, nobody) == 0,
        "an ordinary user");
  // Its own files in /proc are root's otherwise.
  prctl(PR_SET_DUMPABLE, 1);
}

}  // namespace

bool configuration::is_tight() const {
  // An ordinary user has a limit in each configuration.
  static const bool has_limit = [] {
    struct lockfast_statistics now = {};
    lockfast_get_statistics(&now);
    return now.lock_limit != SIZE_MAX;
  }();
  return has_limit || lock_limit != 0 || maps_left != 0;
}

std::span<const configuration> configurations() { return all; }

const configuration* configuration_named(std::string_view name) {
  const auto found = std::ranges::find_if(all, [&](const configuration& one) { return one.name == name; });
  return found == std::end(all) ? nullptr : found;
}

void enter(const configuration& one) {
  prove(set_variable("LOCKFAST_OPTIONS", one.options), "the options");
  (void)fuzz::locks_are_real();  // asks with a lock of its own, for which there may be no room later
  if (one.lock_limit != 0) {
    const rlimit few{one.lock_limit, one.lock_limit};
    prove(setrlimit(RLIMIT_MEMLOCK, &few) == 0, "a limit on locks");
    become_ordinary_user();
  }
  if (one.maps_left != 0) {
    // At the limit the heap cannot grow: the model's memory is there before.
    constexpr int room = 256 << 20;
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TOP_PAD, room);
    mallopt(M_TRIM_THRESHOLD, 2 * room);
    std::free(std::malloc(room / 2));
    use_up_maps(one.maps_left);
  }
}

}  // namespace lockfast::stress
