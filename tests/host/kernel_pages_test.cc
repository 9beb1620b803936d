// kernel_pages_test.cc - what Linux itself says of pages in each state of platform.h: the flags of their map, and what is charged.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "host/reserved.h"
#include "platform/platform.h"
#include "platform/posix/pages.h"
#include "support/check.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/reach.h"
#include "support/sanitized.h"

namespace platform = lockfast::platform;
using platform::access;
using platform::fork_policy;

namespace {

// The flag of a fork policy in smaps; none under inherit.
bool has_policy(const page_state& found, fork_policy policy) {
  return found.has("dc") == (policy == fork_policy::absent) && found.has("wf") == (policy == fork_policy::wipe);
}

// Whether the kernel shows a flag of the advice, on a map of the test's own.
bool shows(int advice, const char* flag) {
  void* const mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool shown = madvise(mapped, page_size(), advice) == 0 && state_of(mapped).has(flag);
  munmap(mapped, page_size());
  return shown;
}

// Under an emulator the system's pages may be smaller than this process's, and mincore tells of each of them.
bool resident(const std::byte* page) {
  std::array<unsigned char, 256> found;
  found.fill(1);
  return mincore(const_cast<std::byte*>(page), page_size(), found.data()) == 0 &&
         std::ranges::all_of(found, [](unsigned char each) { return (each & 1) != 0; });
}

// Without the C library's streams, which map memory of their own.
std::size_t pages_mapped() {
  char text[64] = {};
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  (void)!read(file, text, sizeof text - 1);
  close(file);
  return std::strtoul(text, nullptr, 10);
}

// Whether no other process maps the page's frame (Documentation/admin-guide/mm/pagemap.rst).
bool is_own(const std::byte* page) {
  constexpr std::uint64_t exclusive = std::uint64_t{1} << 56;
  std::uint64_t found = 0;
  const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  (void)!pread(file, &found, sizeof found, static_cast<off_t>((address_of(page) + shift_of_accounts()) / page_size() * sizeof found));
  close(file);
  return (found & exclusive) != 0;
}

void become_nobody_with_lock_limit(std::size_t bytes) {
  const rlimit limit = {bytes, bytes};
  prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "the limit");
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
  // Of a process that changed its user, /proc/self is root's.
  prove(prctl(PR_SET_DUMPABLE, 1) == 0, "an account of its own");
}

}  // namespace

TEST_CASE("reserved pages are out of dumps, are in a child as the policy says, and are no huge pages") {
  if (!asks_for_advice("what is reserved")) return;
  for (const auto policy : {fork_policy::inherit, fork_policy::wipe, fork_policy::absent}) {
    const reserved two(2, policy);
    const page_state found = state_of(two.begin());
    CAPTURE(found.flags);
    CHECK(found.undumpable);
    CHECK(has_policy(found, policy));
    if (shows(MADV_NOHUGEPAGE, "nh")) CHECK(found.has("nh"));
  }
}

TEST_CASE("reserved pages are not merged with others in a program that asked for that everywhere") {
  check_clean(in_child([] {
    constexpr int set_memory_merge = 67;
    if (prctl(set_memory_merge, 1, 0, 0, 0) != 0 || !shows(MADV_NORMAL, "mg")) skip("nothing is merged by itself here");
    const reserved two(2);
    promised(!state_of(two.begin()).has("mg"), "not to be merged");
  }));
}

TEST_CASE("a reservation takes the address space that it says, whatever the alignment") {
  if (!asks_for_own_process("the size of the address space")) return;
  const std::size_t page = page_size();
  for (const std::size_t alignment : {page, 16 * page, std::size_t{4} << 20}) {
    CAPTURE(alignment);
    const std::size_t before = pages_mapped();
    const auto made = platform::reserve(3 * page, alignment, fork_policy::absent);
    REQUIRE(made.address != nullptr);
    CHECK(pages_mapped() == before + 3);
    platform::release(made.address, 3 * page);
    CHECK(pages_mapped() == before);
  }
}

TEST_CASE("locked pages are locked and in RAM, and unlocked ones cost no lock") {
  if (!locks_are_real()) return;
  const reserved four(4);
  four.open();
  const std::size_t before = bytes_locked();
  REQUIRE(platform::lock(four.begin(), four.size()) == 0);
  CHECK(state_of(four.begin()).locked);
  CHECK(bytes_locked() == before + four.size());
  for (std::size_t at = 0; at < four.size(); at += page_size()) CHECK(resident(four.begin() + at));
  CHECK(platform::unlock(four.begin(), four.size()) == 0);
  CHECK(bytes_locked() == before);
}

// Apart from locks, which sanitizers take away: clang is the compiler that once left the access out.
TEST_CASE("a touch has new pages in RAM, whichever compiler made it") {
  if (!asks_for_own_process("how pages are faulted in")) return;
  const reserved pages(4);
  pages.open();
  for (std::size_t at = 0; at < pages.size(); at += page_size()) REQUIRE_FALSE(resident(pages.begin() + at));
  platform::touch(pages.begin(), pages.size());
  for (std::size_t at = 0; at < pages.size(); at += page_size()) CHECK((resident(pages.begin() + at) && is_own(pages.begin() + at)));
}

TEST_CASE("a page that is locked is faulted in once, and many pages by one call where the kernel has it") {
  if (!locks_are_real()) return;
  const auto faults_of = [](std::size_t count) {
    const reserved pages(count);
    pages.open();
    rusage before;
    rusage after;
    getrusage(RUSAGE_SELF, &before);
    REQUIRE(platform::lock(pages.begin(), pages.size()) == 0);
    getrusage(RUSAGE_SELF, &after);
    for (std::size_t at = 0; at < pages.size(); at += page_size()) CHECK(resident(pages.begin() + at));
    CHECK(platform::unlock(pages.begin(), pages.size()) == 0);
    return after.ru_minflt - before.ru_minflt;
  };
  (void)faults_of(1);
  if (sanitized || !asks_for_own_process("how often a page is faulted in")) return;  // a sanitizer's own memory has faults, too
  CHECK(faults_of(1) <= 1);
  constexpr std::size_t many = 200;
  CHECK(faults_of(many) <= static_cast<long>(many) + 20);
}

TEST_CASE("pages that are locked already are so beyond a limit that was lowered") {
  if (!locks_are_real() || !advice_is_followed()) return;
  check_clean(in_child([] {
    const reserved four(4);
    four.open();
    prove(platform::lock(four.begin(), four.size()) == 0, "locked");
    become_nobody_with_lock_limit(page_size());
    const reserved other(4);
    other.open();
    prove(platform::renew_lock(other.begin(), other.size()) != 0, "a limit");
    promised(platform::renew_lock(four.begin(), four.size()) == 0, "locked still");
  }));
}

TEST_CASE("pages that are moved are in RAM where they come to, one too that never was where it came from") {
  if (!locks_are_real()) return;
  const reserved from(2);
  const reserved between(1);
  const reserved to(2);
  from.open();
  REQUIRE(platform::renew_lock(from.begin(), from.size()) == 0);
  from.begin()[0] = std::byte{1};
  if (platform::move(from.begin(), to.begin(), to.size()) != 0) {
    MESSAGE("skipped: this system moves no pages");
    return;
  }
  CHECK(to.begin()[0] == std::byte{1});
  CHECK(resident(to.begin() + page_size()));
  CHECK(state_of(to.begin() + page_size()).locked);
}

TEST_CASE("root of a container has the limit of locks that anybody has") {
  check_clean(in_child([] {
    const rlimit limit = {std::size_t{1} << 20, std::size_t{1} << 20};
    prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "the limit");
    if (unshare(CLONE_NEWUSER) != 0) skip("no user namespace");
    promised(platform::lock_limit() == limit.rlim_cur, "the limit");
    promised(platform::may_lock(limit.rlim_cur) && !platform::may_lock(limit.rlim_cur + 1), "what is within it");
  }));
}

TEST_CASE("a lock that is refused is charged for nothing") {
  if (!locks_are_real()) return;
  check_clean(in_child([] {
    become_nobody_with_lock_limit(2 * page_size());
    const std::size_t before = bytes_locked();
    const reserved four(4);
    four.open();
    promised(platform::lock(four.begin(), four.size()) == ENOMEM, "refused");
    promised(bytes_locked() == before && !state_of(four.begin()).locked, "nothing is locked");
    promised(platform::lock_again(four.begin(), four.size()) == ENOMEM, "refused");
    promised(bytes_locked() == before && !state_of(four.begin()).locked, "nothing is locked");
    promised(platform::lock(four.begin(), 2 * page_size()) == 0, "the limit is free for others");
    std::memset(four.begin(), 0, four.size());
  }));
}

TEST_CASE("a lock that fails at the last of the pages leaves none of them locked") {
  if (!locks_are_real()) return;
  check_clean(in_child([] {
    const reserved four(4);
    four.open();
    munmap(four.begin() + 3 * page_size(), page_size());
    const std::size_t before = bytes_locked();
    promised(platform::lock(four.begin(), four.size()) == ENOMEM, "refused");
    promised(bytes_locked() == before && !state_of(four.begin()).locked, "nothing is locked");
    leave_with(0);
  }));
}

TEST_CASE("pages of a child that locks them again are locked and in RAM, and its own where the lock is refused") {
  if (!locks_are_real()) return;
  const reserved two(2, fork_policy::inherit);
  two.open();
  std::memset(two.begin(), 0x5a, two.size());
  check_clean(in_child([&] {
    promised(platform::lock_again(two.begin(), two.size()) == 0, "a lock");
    promised(state_of(two.begin()).locked, "locked");
    for (std::size_t at = 0; at < two.size(); at += page_size()) promised(resident(two.begin() + at), "in RAM");
  }));
  check_clean(in_child([&] {
    if (is_emulated() || is_own(two.begin()) || !resident(two.begin())) skip("the system does not tell whose pages are");
    become_nobody_with_lock_limit(0);
    promised(platform::lock_again(two.begin(), two.size()) != 0, "refused");
    for (std::size_t at = 0; at < two.size(); at += page_size())
      promised(is_own(two.begin() + at), "its own without a lock too");
  }));
}

TEST_CASE("the caller's own pages are out of dumps from conceal to reveal") {
  if (!asks_for_advice("what is concealed")) return;
  void* const mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  auto* const own = static_cast<std::byte*>(mapped);
  CHECK(platform::conceal(own, page_size()) == 0);
  CHECK(state_of(own).undumpable);
  CHECK(platform::reveal(own, page_size()) == 0);
  CHECK_FALSE(state_of(own).undumpable);
  munmap(mapped, page_size());
}

TEST_CASE("hidden pages are zero and in no child, and come back with the advice that was theirs") {
  if (platform::hiding_error() != 0 || !asks_for_advice("what was hidden")) return;
  for (const auto policy : {fork_policy::inherit, fork_policy::wipe, fork_policy::absent}) {
    const reserved two(2, policy);
    platform::reservation again;
    if (platform::hide(two.begin(), two.size(), policy, again) != 0) continue;
    CHECK(two.filled(std::byte{0}));
    CHECK(state_of(two.begin()).hidden);
    CHECK(state_of(two.begin()).has("dc"));
    check_clean(in_child([&] { promised(!readable_here(two.begin()), "nothing of it"); }));
    REQUIRE(platform::unhide(two.begin(), two.size(), policy, again) == 0);
    const page_state found = state_of(two.begin());
    CAPTURE(found.flags);
    CHECK_FALSE(found.hidden);
    CHECK(found.undumpable);
    CHECK(has_policy(found, policy));
    CHECK_FALSE(readable_here(two.begin()));
  }
}

TEST_CASE("hidden pages that a child moves into its gap are in no child of its own") {
  if (platform::hiding_error() != 0) return;
  std::byte* const shared = platform::map_shared_hidden(page_size());
  if (shared == nullptr) return;
  std::memset(shared, 0x5a, page_size());
  check_clean(in_child([&] {
    const reserved one(1, fork_policy::inherit);
    if (platform::move_hidden(shared, one.begin(), page_size()) != 0) skip("no map is moved here");
    promised(one.filled(std::byte{0x5a}) && state_of(one.begin()).hidden, "the bytes, hidden");
    promised(state_of(one.begin()).has("dc"), "out of a child");
  }));
  std::memset(shared, 0, page_size());
  platform::release(shared, page_size());
}

TEST_CASE("no pages, no descriptor and no map are left of hidden memory that is refused") {
  if (platform::hiding_error() != 0) return;
  check_clean(in_child([] {
    // Once, so that what is kept for good is there.
    const reserved first(1);
    platform::reservation again;
    if (platform::hide(first.begin(), page_size(), fork_policy::absent, again) != 0) skip("nothing is hidden here");
    promised(platform::unhide(first.begin(), page_size(), fork_policy::absent, again) == 0, "given back");
    const rlimit limit = {0, 0};
    prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "the limit");
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
    prove(prctl(PR_SET_DUMPABLE, 1) == 0, "an account of its own");
    const reserved two(2);
    if (platform::hide(two.begin(), two.size(), fork_policy::absent, again) == 0) skip("the limit does not count hidden pages");
    const page_state found = state_of(two.begin());
    promised(!found.hidden && found.mapped && !readable_here(two.begin()), "reserved as before");
    if (advice_is_followed()) promised(found.undumpable && found.has("dc"), "with the advice");
  }));
}

TEST_CASE("a marked reservation is one locked map, from marking to marking again, and traps wherever there is a marker") {
  if (!platform::has_guard_markers() || !locks_are_real()) return;
  const std::size_t page = page_size();
  const reserved four(4);
  if (platform::mark(four.begin(), four.size()) != 0) return;
  CHECK(state_of(four.begin()).locked);
  std::byte* const second = four.begin() + page;
  REQUIRE(platform::unmark(second, page) == 0);
  CHECK(resident(second));
  CHECK_FALSE(readable_here(four.begin()));
  CHECK_FALSE(readable_here(second + page));
  std::memset(second, 0x5a, page);
  std::memset(second, 0, page);
  REQUIRE(platform::mark_again(second, page) == 0);
  CHECK_FALSE(readable_here(second));
  CHECK(state_of(second).locked);
  CHECK(state_of(four.begin()).locked);
  REQUIRE(platform::unmark(second, page) == 0);
  for (std::size_t at = 0; at < page; ++at) CHECK(second[at] == std::byte{0});
  CHECK(platform::unmark(four.begin(), four.size()) == 0);
}

TEST_CASE("a marking that is refused leaves pages that are inaccessible, unmarked and without a lock") {
  if (!platform::has_guard_markers() || !locks_are_real()) return;
  check_clean(in_child([] {
    become_nobody_with_lock_limit(page_size());
    const std::size_t before = bytes_locked();
    const reserved four(4);
    promised(platform::mark(four.begin(), four.size()) != 0, "refused");
    promised(!readable_here(four.begin()) && bytes_locked() == before, "closed, and no lock");
    four.open();
    promised(writable_here(four.begin()), "without a marker");
  }));
}

TEST_CASE("marked pages that cannot have a map of their own are refused with ENOMEM") {
  check_clean(in_child([] {
    const reserved four(4);
    if (platform::mark(four.begin(), four.size()) != 0) skip("the kernel has no guard markers");
    prove(platform::unmark(four.begin() + page_size(), page_size()) == 0, "open pages");
    // Pages whose access differs from that of their neighbours, as many as the system has maps for.
    constexpr std::size_t more_than_any = 400000;
    auto* const pages = static_cast<char*>(mmap(nullptr, more_than_any * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    prove(pages != MAP_FAILED, "address space");
    std::size_t at = 1;
    while (at < more_than_any && mprotect(pages + at * page_size(), page_size(), PROT_READ) == 0) at += 2;
    if (at >= more_than_any) skip("the system has maps enough");
    promised(platform::set_apart(four.begin() + page_size(), page_size()) == ENOMEM, "the limit on maps");
    munmap(pages, more_than_any * page_size());
    promised(platform::set_apart(four.begin() + page_size(), page_size()) == 0, "and without it a map");
    platform::join_again(four.begin() + page_size(), page_size());
    promised(platform::unmark(four.begin(), four.size()) == 0, "no markers any more");
  }));
}
