// cipher_test.cc - the cipher agrees with its draft, opens only what it sealed, and leaves nothing behind.
#include "boojum/crypto/cipher.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "support/hex.h"
#include "support/sanitized.h"

using lockfast::internal::key_view;
using lockfast::internal::nonce_view;
using lockfast::internal::open;
using lockfast::internal::seal;
using lockfast::internal::tag_size;

namespace {

using bytes = std::vector<std::byte>;

key_view key_of(const bytes& from) { return key_view(from.data(), lockfast::internal::key_size); }
nonce_view nonce_of(const bytes& from) { return nonce_view(from.data(), lockfast::internal::nonce_size); }

const bytes draft_key = from_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const bytes draft_nonce = from_hex("404142434445464748494a4b4c4d4e4f5051525354555657");
const bytes draft_associated = from_hex("50515253c0c1c2c3c4c5c6c7");
constexpr std::string_view draft_plain =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
constexpr std::string_view draft_sealed =
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e12"
    "13"
    "b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49";

// Bytes that depend on where they are.
bytes pattern(std::size_t size) {
  bytes made(size);
  for (std::size_t at = 0; at < size; ++at) made[at] = static_cast<std::byte>(at * 31 + (at >> 8));
  return made;
}

bytes sealed_pattern(std::size_t size) {
  bytes sealed(size + tag_size);
  seal(key_of(draft_key), nonce_of(draft_nonce), draft_associated, pattern(size), sealed);
  return sealed;
}

}  // namespace

TEST_CASE("HChaCha20 gives the subkey of the draft, section 2.2.1") {
  const bytes key = from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  const bytes input = from_hex("000000090000004a0000000031415927");
  bytes out(lockfast::internal::key_size);
  lockfast::internal::hchacha20(key_of(key), std::span<const std::byte, 16>(input.data(), 16),
                                std::span<std::byte, lockfast::internal::key_size>(out.data(), out.size()));
  CHECK(to_hex(out) == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
}

TEST_CASE("sealing gives the bytes of the draft, appendix A.3.1, and opening gives the plain ones") {
  const auto plain = std::as_bytes(std::span(draft_plain));
  bytes sealed(plain.size() + tag_size);
  seal(key_of(draft_key), nonce_of(draft_nonce), draft_associated, plain, sealed);
  CHECK(to_hex(sealed) == draft_sealed);
  bytes opened(plain.size());
  REQUIRE(open(key_of(draft_key), nonce_of(draft_nonce), draft_associated, sealed, opened));
  CHECK(std::ranges::equal(opened, plain));
}

TEST_CASE("every length comes back, also in place") {
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 127, 128, 129, 255,
                                                                   256, 257, 1023, 4096, 70000}) {
    CAPTURE(size);
    const bytes plain = pattern(size);
    bytes sealed(size + tag_size);
    seal(key_of(draft_key), nonce_of(draft_nonce), draft_associated, plain, sealed);
    CHECK(sealed == sealed_pattern(size));
    bytes in_place = plain;
    in_place.resize(size + tag_size);
    seal(key_of(draft_key), nonce_of(draft_nonce), draft_associated, std::span(in_place).first(size), in_place);
    CHECK(in_place == sealed);
    REQUIRE(open(key_of(draft_key), nonce_of(draft_nonce), draft_associated, in_place, std::span(in_place).first(size)));
    CHECK(std::ranges::equal(std::span(in_place).first(size), plain));
  }
}

TEST_CASE("a changed bit of the sealed bytes is damage, and leaves no plain byte") {
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 32, 100}) {
    const bytes whole = sealed_pattern(size);
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      CAPTURE(bit);
      bytes changed = whole;
      changed[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      bytes out(size, std::byte{0xee});
      REQUIRE_FALSE(open(key_of(draft_key), nonce_of(draft_nonce), draft_associated, changed, out));
      REQUIRE(std::ranges::all_of(out, [](std::byte each) { return each == std::byte{0}; }));
    }
  }
}

TEST_CASE("a changed bit of the key, the nonce or the associated bytes is damage") {
  const bytes whole = sealed_pattern(32);
  bytes out(32);
  for (std::size_t bit = 0; bit < draft_key.size() * 8; ++bit) {
    bytes key = draft_key;
    key[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    REQUIRE_FALSE(open(key_of(key), nonce_of(draft_nonce), draft_associated, whole, out));
  }
  for (std::size_t bit = 0; bit < draft_nonce.size() * 8; ++bit) {
    bytes nonce = draft_nonce;
    nonce[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    REQUIRE_FALSE(open(key_of(draft_key), nonce_of(nonce), draft_associated, whole, out));
  }
  for (std::size_t bit = 0; bit < draft_associated.size() * 8; ++bit) {
    bytes associated = draft_associated;
    associated[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    REQUIRE_FALSE(open(key_of(draft_key), nonce_of(draft_nonce), associated, whole, out));
  }
  CHECK_FALSE(open(key_of(draft_key), nonce_of(draft_nonce), {}, whole, out));
  CHECK(open(key_of(draft_key), nonce_of(draft_nonce), draft_associated, whole, out));
}

TEST_CASE("libcrypto's errors are those of before") {
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 7);
  const unsigned long before = ERR_peek_last_error();
  bytes changed = sealed_pattern(32);
  changed[0] ^= std::byte{1};
  bytes out(32);
  CHECK_FALSE(open(key_of(draft_key), nonce_of(draft_nonce), draft_associated, changed, out));
  CHECK(ERR_peek_last_error() == before);
  ERR_clear_error();
}

namespace {

// A key as deep in the stack as libcrypto's frames may be.
[[gnu::noinline]] void leave_on_stack() {
  std::byte frames[5120];
  for (std::size_t at = 0; at < sizeof frames; ++at) frames[at] = draft_key[at % draft_key.size()];
  __asm__ volatile("" : : "r"(frames) : "memory");
}

[[gnu::noinline]] std::size_t count_on_stack() {
  std::byte area[8192];
  __asm__ volatile("" : "=m"(area));
  std::size_t found = 0;
  for (std::size_t at = 0; at + 8 <= sizeof area; ++at) found += std::memcmp(area + at, draft_key.data(), 8) == 0;
  return found;
}

}  // namespace

TEST_CASE("what libcrypto may have left on the stack is wiped, however deep") {
  if (sanitized) return;
  // Counted before doctest's own calls, which write over what is left.
  leave_on_stack();
  const std::size_t control = count_on_stack();
  REQUIRE(control > 100);
  leave_on_stack();
  lockfast::internal::wipe_stack();
  const std::size_t left = count_on_stack();
  CHECK(left == 0);
}
