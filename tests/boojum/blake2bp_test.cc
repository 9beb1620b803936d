// blake2bp_test.cc - BLAKE2bp against Python's hashlib, whose BLAKE2b takes the parameters of a tree.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "boojum/crypto/blake2bp.h"
#include "boojum/crypto/little_endian.h"

using namespace lockfast::internal;

namespace {

// Byte number i of a text is (7 * i + i / 256) mod 251; of its digest these are the first eight bytes and the last, least first.
struct known {
  std::size_t size;
  std::uint64_t first;
  std::uint64_t last;
};
constexpr known digests[] = {
    {0, 0x0bf738801a81efb5, 0x8093df78a6bf1451},
    {1, 0x727b75720e2839a1, 0x3df0215752120bca},
    {127, 0x7a572d84c032d4d5, 0xb80d0e3185b7e56c},
    {128, 0x7f4ac7f20431b26c, 0xbec6806b5689668f},
    {129, 0x81d9fafdf77244d6, 0x288f288d02371d22},
    {255, 0xf2869213c35bd096, 0x4501462aacc748bb},
    {384, 0x48ee8c1d870a3149, 0x8e333de88386e66f},
    {385, 0x0b2b5510f800e93a, 0xf960f93a3788f7ba},
    {511, 0xea4cc26a9d9d6a5f, 0x4843841b10478659},
    {512, 0x8c97095592380152, 0xc24353322b1c5eda},
    {513, 0x8513f84a18c27fcc, 0x74449e9e55a3b559},
    {640, 0x9817603996744851, 0x44fa928df2f62b05},
    {1000, 0xcdca937a2ad5ab51, 0x33b959c12f11d5e3},
    {1024, 0x297bb24d8170efd1, 0x1a9fcd3671d3cee8},
    {1025, 0x0f069881feb3e8c4, 0xbb86c6ae02744ec2},
    {2048, 0xdc82cd3745461d70, 0x232fdd1ada09dbaa},
    {16416, 0x4554c68f77e4132b, 0xd85e4f7cce9c09fc},
    {65568, 0xaf5031aeb317b595, 0x98241ec3132f43c7},
};

}  // namespace

TEST_CASE("BLAKE2bp gives what hashlib gives, however the leaves are worked on and wherever the text is divided") {
  for (const known& each : digests) {
    CAPTURE(each.size);
    std::vector<std::byte> text(each.size);
    for (std::size_t at = 0; at < text.size(); ++at) text[at] = static_cast<std::byte>((7 * at + at / 256) % 251);
    for (const auto how : {leaves_at_once::most, leaves_at_once::one}) {
      for (const std::size_t head : {std::size_t{0}, std::size_t{1}, std::size_t{32}, std::size_t{128}}) {
        if (head > text.size()) continue;
        CAPTURE(head);
        std::array<std::byte, blake2bp_size> digest;
        blake2bp(std::span(text).first(head), std::span(text).subspan(head), digest, how);
        CHECK(load_little<std::uint64_t>(digest.data()) == each.first);
        CHECK(load_little<std::uint64_t>(digest.data() + 56) == each.last);
      }
    }
  }
}
