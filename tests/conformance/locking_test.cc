// locking_test.cc - what is locked and undumpable: blocks, and the caller's own memory under sodium_mlock.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "block.h"
#include "support/pages.h"

namespace {

// Pages of the test's own, unlocked and dumpable, filled with 'a'.
class pages {
 public:
  explicit pages(std::size_t count) : size_(count * page_size()) {
    first_ = map_pages(size_);
    REQUIRE(first_ != nullptr);
    std::memset(first_, 'a', size_);
  }
  ~pages() { unmap_pages(first_, size_); }
  pages(const pages&) = delete;
  pages& operator=(const pages&) = delete;

  char* at(std::size_t offset) const { return first_ + offset; }
  char* page(std::size_t index) const { return first_ + index * page_size(); }
  bool locked(std::size_t index) const { return state_of(page(index)).locked; }
  bool undumpable(std::size_t index) const { return state_of(page(index)).undumpable; }

  // Whether exactly the bytes from begin to end are wiped.
  bool wiped_only(std::size_t begin, std::size_t end) const {
    for (std::size_t offset = 0; offset < size_; ++offset) {
      if (first_[offset] != (offset >= begin && offset < end ? '\0' : 'a')) return false;
    }
    return true;
  }

 private:
  char* first_ = nullptr;
  std::size_t size_;
};

}  // namespace

TEST_CASE("every page of a block is locked and out of core dumps") {
  if (!locks_are_real()) return;
  for (std::size_t size : {1uz, 32uz, 4096uz, 20000uz}) {
    CAPTURE(size);
    const block secret(size);
    for (unsigned char* page = secret.first_page(); page < secret.end(); page += page_size()) {
      CHECK(state_of(page).locked);
      CHECK(state_of(page).undumpable == advice_is_followed());
    }
    if (!secret.isolated()) continue;
    REQUIRE(sodium_mprotect_noaccess(secret.data()) == 0);
    CHECK(state_of(secret.data()).locked == locks_outlive_closing());
    CHECK(state_of(secret.data()).undumpable == advice_is_followed());
  }
}

TEST_CASE("the process's locked memory counts every block") {
  if (!locks_are_real() || !asked_of_placement("a locked page for each block")) return;
  constexpr std::size_t count = 512;
  std::vector<block> blocks;
  for (std::size_t at = 0; at < count; ++at) blocks.emplace_back(32);
  CHECK(bytes_locked() >= count * page_size());
}

TEST_CASE("freed blocks give their locked memory back, all but a reserve") {
  if (!locks_are_real() || !asked_of_placement("pages that go back before there is need of them")) return;
  if (!maps_are_counted()) {
    MESSAGE("not asked: the reserve is 64 MiB, and more than that is not to be had under Wine");
    return;
  }
  constexpr std::size_t count = 12'000;
  std::vector<block> blocks;
  for (std::size_t at = 0; at < count; ++at) blocks.emplace_back(32);
  const std::size_t most = bytes_locked();
  blocks.clear();
  CHECK(bytes_locked() <= most / 2);
}

TEST_CASE("mlock locks a page and keeps it out of core dumps, and munlock wipes it and undoes both") {
  if (!locks_are_real()) return;
  const pages own(3);
  CHECK(sodium_mlock(own.page(1), page_size()) == 0);
  CHECK(own.locked(1));
  CHECK(own.undumpable(1) == advice_is_followed());
  CHECK_FALSE(own.locked(0));
  CHECK_FALSE(own.locked(2));
  CHECK_FALSE(own.undumpable(2));
  CHECK(own.wiped_only(0, 0));
  CHECK(sodium_munlock(own.page(1), page_size()) == 0);
  CHECK(own.wiped_only(page_size(), 2 * page_size()));
  CHECK_FALSE(own.locked(1));
  CHECK_FALSE(own.undumpable(1));
}

TEST_CASE("mlock needs no alignment, and munlock wipes exactly its length") {
  if (!locks_are_real()) return;
  const pages own(3);
  const std::size_t begin = 100;
  const std::size_t length = page_size() + 50;
  CHECK(sodium_mlock(own.at(begin), length) == 0);
  CHECK(own.locked(0));
  CHECK(own.locked(1));
  CHECK_FALSE(own.locked(2));
  if (kept(promise::unaligned_undumpable)) {
    CHECK(own.undumpable(0) == advice_is_followed());
    CHECK(own.undumpable(1) == advice_is_followed());
    CHECK_FALSE(own.undumpable(2));
  }
  CHECK(sodium_munlock(own.at(begin), length) == 0);
  CHECK(own.wiped_only(begin, begin + length));
  CHECK_FALSE(own.locked(0));
  CHECK_FALSE(own.locked(1));
  CHECK_FALSE(own.undumpable(0));
  CHECK_FALSE(own.undumpable(1));
}

TEST_CASE("mlock and munlock serve the stack and the heap") {
  char stack[100];
  std::memset(stack, 'a', sizeof stack);
  CHECK(sodium_mlock(stack + 1, 98) == 0);
  CHECK(sodium_munlock(stack + 1, 98) == 0);
  CHECK(stack[0] == 'a');
  CHECK(std::count(stack, stack + sizeof stack, '\0') == 98);
  CHECK(stack[99] == 'a');
  std::string heap(10000, 'a');
  CHECK(sodium_mlock(heap.data(), 5000) == 0);
  CHECK(sodium_munlock(heap.data(), 5000) == 0);
  CHECK(heap == std::string(5000, '\0') + std::string(5000, 'a'));
}

TEST_CASE("mlock and munlock of no bytes succeed and change nothing") {
  const pages own(1);
  CHECK(sodium_mlock(own.at(0), 0) == 0);
  CHECK_FALSE(own.locked(0));
  CHECK(sodium_munlock(own.at(0), 0) == 0);
  CHECK(own.wiped_only(0, 0));
  CHECK(sodium_mlock(nullptr, 0) == 0);
  CHECK(sodium_munlock(nullptr, 0) == 0);
}

TEST_CASE("munlock of what was never locked wipes it and succeeds") {
  const pages own(2);
  CHECK(sodium_munlock(own.at(10), page_size()) == 0);
  CHECK(own.wiped_only(10, 10 + page_size()));
}

TEST_CASE("one munlock undoes any number of mlocks of the same bytes") {
  if (!locks_are_real()) return;
  const pages own(1);
  for (int round = 0; round < 3; ++round) CHECK(sodium_mlock(own.at(8), 64) == 0);
  CHECK(own.locked(0));
  CHECK(sodium_munlock(own.at(8), 64) == 0);
  CHECK_FALSE(own.locked(0));
  CHECK(own.wiped_only(8, 72));
}

TEST_CASE("a page stays locked and undumpable until its last locked byte is unlocked") {
  if (!locks_are_real()) return;
  const bool asked = kept(promise::neighbours_stay_locked);
  SUBCASE("two buffers side by side") {
    const pages own(1);
    CHECK(sodium_mlock(own.at(0), 32) == 0);
    CHECK(sodium_mlock(own.at(32), 32) == 0);
    CHECK(sodium_munlock(own.at(0), 32) == 0);
    if (asked) CHECK(own.locked(0));
    if (asked) CHECK(own.undumpable(0) == advice_is_followed());
    CHECK(sodium_munlock(own.at(32), 32) == 0);
    CHECK_FALSE(own.locked(0));
    CHECK_FALSE(own.undumpable(0));
  }
  SUBCASE("two buffers that overlap") {
    const pages own(3);
    CHECK(sodium_mlock(own.at(0), page_size() + 100) == 0);
    CHECK(sodium_mlock(own.at(page_size() + 50), page_size()) == 0);
    CHECK(sodium_munlock(own.at(0), page_size() + 100) == 0);
    CHECK(own.wiped_only(0, page_size() + 100));
    CHECK_FALSE(own.locked(0));
    if (asked) CHECK(own.locked(1));
    CHECK(own.locked(2));
    CHECK(sodium_munlock(own.at(page_size() + 100), page_size() - 50) == 0);
    CHECK_FALSE(own.locked(1));
    CHECK_FALSE(own.locked(2));
  }
  SUBCASE("a hole in the middle of one buffer") {
    const pages own(3);
    CHECK(sodium_mlock(own.at(0), 3 * page_size()) == 0);
    CHECK(sodium_munlock(own.at(page_size()), page_size()) == 0);
    CHECK(own.locked(0));
    CHECK_FALSE(own.locked(1));
    CHECK(own.locked(2));
    CHECK(sodium_munlock(own.at(0), 3 * page_size()) == 0);
    CHECK_FALSE(own.locked(0));
    CHECK_FALSE(own.locked(2));
  }
}

TEST_CASE("mlock of memory that is not there is refused with ENOMEM") {
  const pages own(2);
  REQUIRE(make_hole(own.page(1), page_size()));
  errno = 0;
  CHECK(sodium_mlock(own.page(1), 64) == -1);
  CHECK(errno == ENOMEM);
  errno = 0;
  CHECK(sodium_mlock(own.page(1) - 32, 64) == -1);
  CHECK(errno == ENOMEM);
  if (locks_are_real() && kept(promise::locks_all_or_nothing)) {
    CHECK_FALSE(own.locked(0));
    CHECK_FALSE(own.undumpable(0));
  }
  REQUIRE(fill_hole(own.page(1), page_size()));
}

TEST_CASE("a length past the end of the address space is refused and changes nothing") {
  if (!kept(promise::length_within_address_space)) return;
  const pages own(1);
  for (std::size_t length : {SIZE_MAX, SIZE_MAX - page_size(), SIZE_MAX - address_of(own.at(1)) + 2}) {
    errno = 0;
    CHECK(sodium_mlock(own.at(1), length) == -1);
    CHECK(errno == ENOMEM);
    CHECK_FALSE(own.locked(0));
  }
}

TEST_CASE("mlock and munlock of a block's own bytes succeed, and the block stays whole") {
  const block secret(5000);
  secret.fill('a');
  CHECK(sodium_mlock(secret.data(), secret.size()) == 0);
  CHECK(sodium_munlock(secret.data(), secret.size()) == 0);
  CHECK(secret.filled_with(0));
  secret.fill('b');
  CHECK(sodium_munlock(secret.data() + 10, 20) == 0);
  CHECK(secret.data()[9] == 'b');
  CHECK(secret.data()[10] == 0);
  CHECK(secret.data()[29] == 0);
  CHECK(secret.data()[30] == 'b');
  if (!locks_are_real() || !kept(promise::neighbours_stay_locked)) return;
  CHECK(state_of(secret.data()).locked);
  CHECK(state_of(secret.data()).undumpable == advice_is_followed());
}
