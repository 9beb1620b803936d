// bytes_test.cc - sodium_memcmp, sodium_memzero and sodium_stackzero.
#include <doctest/doctest.h>

#include <cstring>

#include "block.h"

namespace {

constexpr std::size_t painted_size = 4096;
constexpr unsigned char paint = 0xa5;

[[gnu::noinline]] void paint_stack() {
  volatile unsigned char area[painted_size];
  for (volatile unsigned char& each : area) each = paint;
}

// How many bytes below the caller's frame are painted. What is there belongs to no frame, so no sanitizer may watch.
__attribute__((noinline, no_sanitize("address", "undefined"))) std::size_t painted_below() {
  const auto* frame = static_cast<const volatile unsigned char*>(__builtin_frame_address(0));
  std::size_t count = 0;
  for (std::size_t below = 256; below < painted_size; ++below) count += *(frame - below) == paint ? 1U : 0U;
  return count;
}

}  // namespace

TEST_CASE("memcmp is 0 for equal bytes and -1 for others, whichever is greater") {
  unsigned char a[64];
  unsigned char b[64];
  std::memset(a, 7, sizeof a);
  std::memset(b, 7, sizeof b);
  for (std::size_t length = 0; length <= sizeof a; ++length) CHECK(sodium_memcmp(a, b, length) == 0);
  for (std::size_t at = 0; at < sizeof a; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      b[at] = static_cast<unsigned char>(7 ^ (1 << bit));
      REQUIRE(sodium_memcmp(a, b, sizeof a) == -1);
      REQUIRE(sodium_memcmp(b, a, sizeof a) == -1);
      REQUIRE(sodium_memcmp(a, b, at) == 0);
      b[at] = 7;
    }
  }
}

TEST_CASE("memcmp and memzero of no bytes touch none") {
  const block empty(0);
  CHECK(sodium_memcmp(empty.data(), empty.data() + 1, 0) == 0);
  sodium_memzero(empty.data(), 0);
  void* volatile null = nullptr;
  CHECK(sodium_memcmp(null, null, 0) == 0);
  sodium_memzero(null, 0);
}

TEST_CASE("memzero wipes exactly its length") {
  const block secret(100);
  for (std::size_t length = 0; length <= 80; ++length) {
    secret.fill('a');
    sodium_memzero(secret.data() + 10, length);
    for (std::size_t at = 0; at < secret.size(); ++at) {
      REQUIRE(secret.data()[at] == (at >= 10 && at < 10 + length ? 0 : 'a'));
    }
  }
}

TEST_CASE("memzero reaches the last byte before the guard page") {
  const block secret(5000);
  sodium_memzero(secret.data(), secret.size());
  CHECK(secret.filled_with(0));
}

TEST_CASE("stackzero wipes the stack below the caller's frame") {
  paint_stack();
  REQUIRE(painted_below() > painted_size / 2);
  paint_stack();
  sodium_stackzero(2 * painted_size);
  CHECK(painted_below() < 64);
  sodium_stackzero(0);
}
