// aead_test.cc - what is sealed agrees with the papers, opens only whole, and leaves no trace on the stack.
#include "allocator/cipher/aead.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "support/hex.h"
#include "support/sanitized.h"
#include "support/stack_search.h"

namespace {

using lockfast::internal::aead;
using bytes = std::vector<std::byte>;

const bytes paper_key = from_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const bytes paper_nonce = from_hex("404142434445464748494a4b4c4d4e4f5051525354555657");
const bytes paper_associated = from_hex("50515253c0c1c2c3c4c5c6c7");
constexpr std::string_view paper_plain =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";

aead::key_view key_of(const bytes& from) { return aead::key_view(from.data(), aead::key_size); }
aead::nonce_view nonce_of(const bytes& from) { return aead::nonce_view(from.data(), aead::nonce_size); }

struct sealed_bytes {
  bytes sealed;
  bytes tag = bytes(aead::tag_size);

  std::span<std::byte, aead::tag_size> tag_view() { return std::span<std::byte, aead::tag_size>(tag.data(), tag.size()); }
};

sealed_bytes seal(const bytes& plain) {
  sealed_bytes made = {bytes(plain.size())};
  aead::seal(key_of(paper_key), nonce_of(paper_nonce), paper_associated, plain, made.sealed.data(), made.tag_view());
  return made;
}

bool opens(sealed_bytes& from, bytes& plain, const bytes& key = paper_key, const bytes& nonce = paper_nonce,
           const bytes& associated = paper_associated) {
  const bool opened = aead::open(key_of(key), nonce_of(nonce), associated, from.sealed, from.tag_view(), plain.data());
  // The short nonce with the subkey is the same message.
  std::byte subkey[aead::key_size];
  lockfast::internal::hchacha20(key_of(key), nonce_of(nonce).first<16>(), subkey);
  std::byte rest[aead::short_nonce_size] = {};
  std::memcpy(rest + 4, nonce.data() + 16, 8);
  CHECK(aead::authentic(subkey, rest, associated, from.sealed, from.tag_view()) == opened);
  return opened;
}

bytes pattern(std::size_t size) {
  bytes made(size);
  for (std::size_t at = 0; at < size; ++at) made[at] = static_cast<std::byte>(at * 31 + (at >> 8) + 1);
  return made;
}

}  // namespace

TEST_CASE("ChaCha20-Poly1305 gives the bytes of RFC 8439, section 2.8.2") {
  const bytes nonce = from_hex("070000004041424344454647");
  const aead::short_nonce_view short_nonce(nonce.data(), aead::short_nonce_size);
  const auto plain = std::as_bytes(std::span(paper_plain));
  sealed_bytes made = {bytes(plain.size())};
  aead::seal(key_of(paper_key), short_nonce, paper_associated, plain, made.sealed.data(), made.tag_view());
  CHECK(to_hex(made.sealed) ==
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5"
        "b67e"
        "cd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116");
  CHECK(to_hex(made.tag) == "1ae10b594f09e26a7e902ecbd0600691");
  bytes opened(plain.size());
  REQUIRE(aead::open(key_of(paper_key), short_nonce, paper_associated, made.sealed, made.tag_view(), opened.data()));
  CHECK(std::ranges::equal(opened, plain));
}

TEST_CASE("XChaCha20-Poly1305 gives the bytes of its draft, appendix A.3.1") {
  const auto plain = std::as_bytes(std::span(paper_plain));
  const sealed_bytes made = seal({plain.begin(), plain.end()});
  CHECK(to_hex(made.sealed) ==
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b7"
        "2e12"
        "13b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e");
  CHECK(to_hex(made.tag) == "c0875924c1c7987947deafd8780acf49");
}

TEST_CASE("every length opens again, in place too") {
  for (const std::size_t size :
       {0U, 1U, 15U, 16U, 17U, 31U, 32U, 63U, 64U, 65U, 127U, 128U, 129U, 255U, 256U, 577U, 1023U, 4096U, 70000U}) {
    CAPTURE(size);
    const bytes plain = pattern(size);
    sealed_bytes made = seal(plain);
    bytes opened(size);
    REQUIRE(opens(made, opened));
    CHECK(opened == plain);
    sealed_bytes in_place = {plain};
    aead::seal(key_of(paper_key), nonce_of(paper_nonce), paper_associated, in_place.sealed, in_place.sealed.data(),
               in_place.tag_view());
    CHECK(in_place.sealed == made.sealed);
    REQUIRE(aead::open(key_of(paper_key), nonce_of(paper_nonce), paper_associated, in_place.sealed, in_place.tag_view(),
                       in_place.sealed.data()));
    CHECK(in_place.sealed == plain);
  }
}

TEST_CASE("a changed bit of anything does not open, and writes nothing") {
  const bytes plain = pattern(33);
  sealed_bytes made = seal(plain);
  bytes out(plain.size(), std::byte{0xee});
  const bytes untouched = out;
  const auto for_each_bit = [](bytes& of, auto act) {
    for (std::size_t bit = 0; bit < of.size() * 8; ++bit) {
      of[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      act();
      of[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    }
  };
  bytes key = paper_key;
  bytes nonce = paper_nonce;
  bytes associated = paper_associated;
  for (bytes* const each : {&made.sealed, &made.tag, &key, &nonce, &associated}) {
    for_each_bit(*each, [&] {
      REQUIRE(!opens(made, out, key, nonce, associated));
      REQUIRE(out == untouched);
    });
  }
  REQUIRE(opens(made, out, key, nonce, associated));
  CHECK(out == plain);
}

TEST_CASE("neither key nor keystream nor plain bytes are left on the stack") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer has stacks of its own");
    return;
  }
  if (counts_lines()) {
    MESSAGE("skipped: the counters of lines have words spilt");
    return;
  }
  for (const std::size_t size : {32U, 100U, 700U, 5000U}) {
    CAPTURE(size);
    const bytes plain = pattern(size);
    bytes keystream(size);
    std::vector<std::uint32_t> secret;
    secret.reserve(4 * size);
    sealed_bytes made = seal(plain);
    for (std::size_t at = 0; at < size; ++at) keystream[at] = plain[at] ^ made.sealed[at];
    bytes subkey(aead::key_size);
    lockfast::internal::hchacha20(key_of(paper_key), nonce_of(paper_nonce).first<16>(),
                                  std::span<std::byte, aead::key_size>(subkey.data(), subkey.size()));
    for (const bytes& each : {paper_key, subkey, keystream, plain}) add_words(secret, each);

    // Counted before doctest's own calls, which write over what is left.
    paint_stack();
    leave_on_stack(subkey);
    const std::size_t control = count_on_stack(secret);
    REQUIRE(control > 0);
    paint_stack();
    aead::seal(key_of(paper_key), nonce_of(paper_nonce), paper_associated, plain, made.sealed.data(), made.tag_view());
    const std::size_t after_sealing = count_on_stack(secret);
    CHECK(after_sealing == 0);
    bytes opened(size);
    paint_stack();
    const bool whole =
        aead::open(key_of(paper_key), nonce_of(paper_nonce), paper_associated, made.sealed, made.tag_view(), opened.data());
    const std::size_t after_opening = count_on_stack(secret);
    CHECK(after_opening == 0);
    CHECK(whole);
  }
}

#if defined(__x86_64__)
TEST_CASE("nor in vector registers") {
  const bytes plain = pattern(700);
  sealed_bytes made = {bytes(plain.size())};
  alignas(16) std::byte kept[16][16];
  const auto keep_registers = [&] {
    __asm__ volatile(
        "movdqa %%xmm0, (%0)\n\tmovdqa %%xmm1, 16(%0)\n\tmovdqa %%xmm2, 32(%0)\n\tmovdqa %%xmm3, 48(%0)\n\t"
        "movdqa %%xmm4, 64(%0)\n\tmovdqa %%xmm5, 80(%0)\n\tmovdqa %%xmm6, 96(%0)\n\tmovdqa %%xmm7, 112(%0)\n\t"
        "movdqa %%xmm8, 128(%0)\n\tmovdqa %%xmm9, 144(%0)\n\tmovdqa %%xmm10, 160(%0)\n\tmovdqa %%xmm11, 176(%0)\n\t"
        "movdqa %%xmm12, 192(%0)\n\tmovdqa %%xmm13, 208(%0)\n\tmovdqa %%xmm14, 224(%0)\n\tmovdqa %%xmm15, 240(%0)"
        :
        : "r"(kept)
        : "memory");
  };
  // What a function must preserve (xmm6 to xmm15 on Windows) is zero afterwards because it was zero before.
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3\n\tpxor %%xmm4, %%xmm4\n\t"
      "pxor %%xmm5, %%xmm5\n\tpxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm8, %%xmm8\n\tpxor %%xmm9, %%xmm9\n\t"
      "pxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\tpxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\t"
      "pxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15" ::
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
            "xmm14", "xmm15");
  aead::seal(key_of(paper_key), nonce_of(paper_nonce), paper_associated, plain, made.sealed.data(), made.tag_view());
  keep_registers();
  // What the caller itself put into a register since is no secret.
  std::size_t used = 0;
  for (const auto& each : kept) used += std::ranges::any_of(each, [](std::byte byte) { return byte != std::byte{0}; });
  CHECK(used <= 2);
  // The control: the rounds themselves leave their state there.
  bytes subkey(aead::key_size);
  lockfast::internal::hchacha20(key_of(paper_key), nonce_of(paper_nonce).first<16>(),
                                std::span<std::byte, aead::key_size>(subkey.data(), subkey.size()));
  keep_registers();
  bool found = false;
  for (const auto& each : kept) found |= std::memcmp(each, subkey.data(), 16) == 0;
  CHECK(found);
}
#endif
