// pages_test.cc - reserved memory and its states.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "host/reserved.h"
#include "platform/platform.h"
#include "support/reach.h"

namespace platform = lockfast::platform;
using platform::access;

namespace {

constexpr std::byte mark = std::byte{0x5a};

void fill(const reserved& one) { std::memset(one.begin(), 0x5a, one.size()); }

}  // namespace

TEST_CASE("reserved memory lies at a multiple of its alignment, is inaccessible, and is zero once it is opened") {
  const std::size_t page = platform::page_size();
  CHECK((page & (page - 1)) == 0);
  for (const std::size_t alignment : {std::size_t{1}, page, 4 * page, std::size_t{4} << 20}) {
    const auto made = platform::reserve(3 * page, alignment, platform::fork_policy::absent);
    REQUIRE(made.address != nullptr);
    CHECK(made.refusal == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(made.address) % alignment == 0);
    for (std::size_t at = 0; at < 3; ++at) CHECK_FALSE(readable_here(made.address + at * page));
    REQUIRE(platform::protect(made.address + page, page, access::read_write) == 0);
    for (std::size_t at = 0; at < page; ++at) REQUIRE(made.address[page + at] == std::byte{0});
    CHECK_FALSE(readable_here(made.address + page - 1));
    CHECK_FALSE(readable_here(made.address + 2 * page));
    platform::release(made.address, 3 * page);
    CHECK_FALSE(readable_here(made.address + page));
  }
}

TEST_CASE("a reservation larger than the address space is refused with ENOMEM") {
  // Half of 32 bits of addresses may be there.
  const std::size_t size = sizeof(void*) == 8 ? SIZE_MAX / 2 : SIZE_MAX / 4 * 3;
  for (const std::size_t alignment : {std::size_t{1}, std::size_t{4} << 20}) {
    const auto made =
        platform::reserve(size / platform::page_size() * platform::page_size(), alignment, platform::fork_policy::inherit);
    CHECK(made.address == nullptr);
    CHECK(made.refusal == ENOMEM);
  }
}

TEST_CASE("pages are closed, read-only or writable as asked, one by one, and keep their bytes") {
  const reserved three(3);
  three.open();
  fill(three);
  std::byte* const middle = three.begin() + platform::page_size();
  CHECK(platform::protect(middle, platform::page_size(), access::read) == 0);
  CHECK(readable_here(middle));
  CHECK_FALSE(writable_here(middle));
  CHECK(platform::protect(middle, platform::page_size(), access::none) == 0);
  CHECK_FALSE(readable_here(middle));
  CHECK(writable_here(middle - 1));
  CHECK(writable_here(middle + platform::page_size()));
  CHECK(platform::protect(middle, platform::page_size(), access::read_write) == 0);
  CHECK(three.filled(mark));
}

TEST_CASE("pages can be locked, closed, opened and unlocked, and keep their bytes") {
  const reserved two(2);
  two.open();
  if (const auto refusal = platform::lock(two.begin(), two.size()); refusal != 0) {
    MESSAGE("no lock for two pages here: " << refusal);
    CHECK((refusal == ENOMEM || refusal == EAGAIN || refusal == EPERM));
    return;
  }
  fill(two);
  CHECK(platform::protect(two.begin(), two.size(), access::none) == 0);
  CHECK(platform::protect(two.begin(), two.size(), access::read_write) == 0);
  CHECK(two.filled(mark));
  std::memset(two.begin(), 0, two.size());
  CHECK(platform::unlock(two.begin(), two.size()) == 0);
}

TEST_CASE("wiped pages that were discarded are zero when they are touched again") {
  const reserved two(2);
  two.open();
  fill(two);
  std::memset(two.begin(), 0, two.size());
  platform::discard(two.begin(), two.size());
  CHECK(two.filled(std::byte{0}));
  fill(two);
  CHECK(two.filled(mark));
}

TEST_CASE("a place is reserved again where it is free, and refused where it is not, and what is there stays") {
  const std::size_t page = platform::page_size();
  const auto made = platform::reserve(4 * page, 1, platform::fork_policy::absent);
  REQUIRE(made.address != nullptr);
  platform::release(made.address, 4 * page);
  const auto again = platform::reserve_again(made.address, 4 * page, platform::fork_policy::absent);
  REQUIRE(again.address == made.address);
  CHECK_FALSE(readable_here(again.address));
  REQUIRE(platform::protect(again.address, page, access::read_write) == 0);
  *again.address = mark;
  const auto third = platform::reserve_again(made.address, page, platform::fork_policy::absent);
  CHECK(third.address == nullptr);
  CHECK(third.refusal != 0);
  CHECK(*again.address == mark);
  *again.address = std::byte{0};
  platform::release(again.address, 4 * page);
}

TEST_CASE("hidden memory, guard markers and keys are had, or refused without a change, as the host says") {
  const reserved two(2);
  platform::reservation again;
  if (platform::hiding_error() != 0) {
    MESSAGE("no hidden memory here: " << platform::hiding_error());
    CHECK(platform::hide(two.begin(), two.size(), platform::fork_policy::absent, again) != 0);
    CHECK(platform::map_shared_hidden(platform::page_size()) == nullptr);
  } else if (platform::hide(two.begin(), two.size(), platform::fork_policy::absent, again) == 0) {
    CHECK(two.filled(std::byte{0}));
    fill(two);
    std::memset(two.begin(), 0, two.size());
    CHECK(platform::unhide(two.begin(), two.size(), platform::fork_policy::absent, again) == 0);
  }
  CHECK_FALSE(readable_here(two.begin()));
  const reserved marked(2);
  if (!platform::has_guard_markers()) {
    MESSAGE("no guard markers here");
    CHECK(platform::mark(marked.begin(), marked.size()) != 0);
  } else if (platform::mark(marked.begin(), marked.size()) == 0) {
    CHECK_FALSE(readable_here(marked.begin()));
    CHECK(platform::unmark(marked.begin(), platform::page_size()) == 0);
    CHECK(writable_here(marked.begin()));
    CHECK_FALSE(readable_here(marked.begin() + platform::page_size()));
    CHECK(platform::unmark(marked.begin() + platform::page_size(), platform::page_size()) == 0);
  }
}

TEST_CASE("the caller's own pages are locked, left out of dumps or ENOTSUP, and given back") {
  const std::size_t page = platform::page_size();
  // Not every linker aligns to the pages of every system.
  static std::byte room[2 * 65536];
  std::byte* const own = room + (page - reinterpret_cast<std::uintptr_t>(room) % page) % page;
  CHECK(platform::lock_foreign(own, page) == 0);
  const auto concealed = platform::conceal(own, page);
  CHECK((concealed == 0 || concealed == ENOTSUP));
  CHECK(platform::reveal(own, page) == concealed);
  CHECK(platform::unlock_foreign(own, page) == 0);
}
