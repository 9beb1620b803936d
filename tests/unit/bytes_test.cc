// bytes_test.cc - wiping, filling, comparing.
#include "allocator/base/bytes.h"

#include <doctest/doctest.h>

#include <array>

using namespace lockfast::internal;

TEST_CASE("wiping clears exactly the bytes that it is given") {
  std::array<unsigned char, 64> bytes;
  bytes.fill(7);
  wipe(bytes.data() + 3, 40);
  for (std::size_t at = 0; at < bytes.size(); ++at) CHECK(bytes[at] == (at >= 3 && at < 43 ? 0 : 7));
}

TEST_CASE("wiping nothing takes any pointer") { wipe(nullptr, 0); }

TEST_CASE("one byte that is not zero is seen at every place and length") {
  std::array<std::byte, 300> bytes{};
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(all_zero(bytes.data(), size));
    for (std::size_t at = 0; at < size; ++at) {
      bytes[at] = std::byte{0x80};
      CHECK_FALSE(all_zero(bytes.data(), size));
      bytes[at] = std::byte{0};
    }
    bytes[size] = std::byte{1};
    CHECK(all_zero(bytes.data(), size));
    bytes[size] = std::byte{0};
  }
}

TEST_CASE("one bit that differs makes two ranges unequal") {
  std::array<unsigned char, 33> left{};
  std::array<unsigned char, 33> right{};
  CHECK(equal(left.data(), right.data(), left.size()));
  for (std::size_t bit = 0; bit < left.size() * 8; ++bit) {
    right[bit / 8] = static_cast<unsigned char>(1U << bit % 8);
    CHECK_FALSE(equal(left.data(), right.data(), left.size()));
    right[bit / 8] = 0;
  }
  CHECK(equal(nullptr, nullptr, 0));
}
