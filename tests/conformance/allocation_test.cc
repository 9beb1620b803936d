// allocation_test.cc - what sodium_malloc and sodium_allocarray give, and what they refuse.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "block.h"
#include "support/probe.h"

namespace {

constexpr std::size_t largest_size = std::numeric_limits<std::size_t>::max();

// The largest power of two that divides size, up to a page.
std::size_t natural_alignment(std::size_t size) { return size == 0 ? page_size() : std::min(size & ~(size - 1), page_size()); }
std::size_t grouped_alignment(std::size_t size) { return std::clamp(size & (0 - size), 16uz, 64uz); }

void require_whole(const block& whole) {
  CAPTURE(whole.size());
  const bool isolated = whole.isolated();
  REQUIRE(isolated == (blocks_are_isolated() || whole.size() > max_grouped));
  REQUIRE(whole.filled_with(fresh_byte));
  REQUIRE(address_of(whole.data()) % (isolated ? natural_alignment(whole.size()) : grouped_alignment(whole.size())) == 0);
  if (!isolated) {
    whole.fill(fresh_byte);
    return;
  }
  REQUIRE(address_of(whole.end()) % page_size() == 0);
  REQUIRE(traps_on_read(whole.end()));
  REQUIRE(traps_on_write(whole.end()));
  REQUIRE(traps_on_read(whole.first_page() - 1));
  REQUIRE(traps_on_write(whole.first_page() - 1));
  if (whole.size() == 0) return;
  REQUIRE_FALSE(traps_on_write(whole.data()));
  REQUIRE_FALSE(traps_on_write(whole.end() - 1));
}

void check_refused(std::size_t size, int expected = ENOMEM) {
  CAPTURE(size);
  errno = 0;
  CHECK(sodium_malloc(size) == nullptr);
  CHECK(errno == expected);
}

}  // namespace

TEST_CASE("a block of any size up to two pages and more is 0xdb between traps, naturally aligned") {
  (void)asked_of_placement("traps, and more alignment than 64, up to 16 KiB");
  for (std::size_t size = 0; size <= 9000; ++size) require_whole(block(size));
}

TEST_CASE("a block of a random size is 0xdb between traps, naturally aligned") {
  std::mt19937 random(20261121);
  std::uniform_int_distribution<std::size_t> sizes(1, 100000);
  for (int round = 0; round < 500; ++round) require_whole(block(sizes(random)));
}

TEST_CASE("a block of many pages is 0xdb between traps") {
  require_whole(block(std::size_t{16} << 20));
  require_whole(block((std::size_t{16} << 20) + 1));
}

TEST_CASE("a block that takes the place of a freed one is 0xdb again") {
  for (int round = 0; round < 200; ++round) {
    const block again(100);
    REQUIRE(again.filled_with(fresh_byte));
    again.fill(0x11);
  }
}

TEST_CASE("blocks that live together are apart: each keeps its bytes") {
  std::vector<block> blocks;
  for (std::size_t count = 0; count < 300; ++count) {
    blocks.emplace_back(1 + count * 29 % 5000);
    blocks.back().fill(static_cast<unsigned char>(count));
  }
  for (std::size_t count = 0; count < blocks.size(); ++count)
    CHECK(blocks[count].filled_with(static_cast<unsigned char>(count)));
}

TEST_CASE("a block of size 0 has a pointer of its own, whose first bytes trap") {
  std::vector<block> blocks;
  std::set<const void*> pointers;
  for (int count = 0; count < 100; ++count) {
    const block& empty = blocks.emplace_back(0);
    pointers.insert(empty.data());
    if (!blocks_are_isolated()) continue;
    CHECK(traps_on_read(empty.data()));
    CHECK(traps_on_write(empty.data() + 1));
  }
  CHECK(pointers.size() == blocks.size());
}

TEST_CASE("the bytes in front of a block are a canary that is not zero") {
  if (!asked_of_placement("sixteen bytes of canary")) return;
  for (std::size_t size : {0uz, 1uz, 32uz, 4096uz}) {
    const block guarded(size);
    const unsigned char* canary = guarded.data() - canary_size;
    CHECK(std::any_of(canary, canary + canary_size, [](unsigned char byte) { return byte != 0; }));
    CHECK(std::any_of(canary + 8, canary + canary_size, [](unsigned char byte) { return byte != 0; }));
  }
}

TEST_CASE("a size that no address space holds is refused with ENOMEM") {
  for (std::size_t back : {0uz, 1uz, 2uz, 15uz, 16uz, 17uz}) check_refused(largest_size - back);
  for (std::size_t pages : {1uz, 2uz, 3uz, 4uz}) check_refused(largest_size - pages * page_size());
  for (std::size_t less : {15uz, 16uz, 4096uz}) check_refused(largest_size - 4 * page_size() - less);
  check_refused(largest_size / 2);
  check_refused(largest_size / 2 + 1);
  check_refused(std::size_t{1} << (sizeof(std::size_t) == 8 ? 47 : 31));
}

TEST_CASE("a size whose total would wrap to 0 is refused with ENOMEM") {
  const bool asked = kept(promise::one_errno_for_sizes);
  for (std::size_t less = 1; less <= 14; ++less) {
    errno = 0;
    CHECK(sodium_malloc(largest_size - 4 * page_size() - less) == nullptr);
    if (asked) CHECK(errno == ENOMEM);
  }
}

TEST_CASE("an array is a block of the product of its counts") {
  auto* array = static_cast<unsigned char*>(sodium_allocarray(3, 5));
  REQUIRE(array != nullptr);
  CHECK(array[14] == fresh_byte);
  if (asked_of_placement("a trap behind an array")) CHECK(traps_on_read(array + 15));
  sodium_free(array);
}

TEST_CASE("an array without elements is a block of size 0") {
  const std::size_t pairs[][2] = {{0, 0}, {0, 7}, {7, 0}, {0, largest_size}, {largest_size, 0}};
  for (const auto& [count, size] : pairs) {
    CAPTURE(count);
    void* array = sodium_allocarray(count, size);
    REQUIRE(array != nullptr);
    if (blocks_are_isolated()) CHECK(traps_on_read(array));
    sodium_free(array);
  }
}

TEST_CASE("an array whose product overflows is refused with ENOMEM") {
  const std::size_t half = largest_size / 2 + 1;
  const std::size_t root = std::size_t{1} << (std::numeric_limits<std::size_t>::digits / 2);
  // Some of these wrap around to a size as small as 0, 1 or 2.
  const std::size_t pairs[][2] = {{1, largest_size}, {largest_size, 1},     {half, 1},    {1, half},
                                  {2, half},         {half + 1, 2},         {root, root}, {3, largest_size / 3 + 1},
                                  {3, half},         {2, largest_size / 2}, {half, half}, {largest_size, largest_size}};
  for (const auto& [count, size] : pairs) {
    CAPTURE(count);
    CAPTURE(size);
    errno = 0;
    CHECK(sodium_allocarray(count, size) == nullptr);
    CHECK(errno == ENOMEM);
  }
}

TEST_CASE("errno is left alone by what succeeds") {
  if (!locks_are_real()) return;
  errno = EXDEV;
  void* secret = sodium_malloc(48);
  CHECK(errno == EXDEV);
  if (blocks_are_isolated()) {
    static_cast<void>(sodium_mprotect_noaccess(secret));
    static_cast<void>(sodium_mprotect_readonly(secret));
    CHECK(errno == EXDEV);
  }
  sodium_free(secret);
  CHECK(errno == EXDEV);
  sodium_free(nullptr);
  CHECK(errno == EXDEV);
}
