// procedures_test.cc - records that are made within a vault, and what is done by them, against the standards' vectors and libcrypto.
#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <lockfast/procedures.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/hex.h"
#include "support/memory_search.h"
#include "support/traced.h"

using lockfast::buffer;
using lockfast::memory_error;
using lockfast::procedures;
using lockfast::vault;
using by = vault::derivation::by;

namespace {

vault::id inserted(vault& records, const std::string& digits) {
  auto bytes = from_hex(digits);
  return *records.insert(*buffer<std::byte>::take(bytes));
}

std::string digits_of(const vault& records, vault::id which) {
  return *records.use(which, [](auto secret) { return to_hex(secret); });
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string blake2b_of_libcrypto(std::span<const std::byte> key, std::span<const std::byte> text, std::size_t size) {
  EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "BLAKE2BMAC", nullptr);
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(algorithm);
  const std::array parameters = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  std::vector<std::byte> out(size);
  const auto octets = [](std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); };
  REQUIRE(EVP_MAC_init(context, octets(key), key.size(), parameters.data()) == 1);
  REQUIRE(EVP_MAC_update(context, octets(text), text.size()) == 1);
  REQUIRE(EVP_MAC_final(context, reinterpret_cast<unsigned char*>(out.data()), nullptr, out.size()) == 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(algorithm);
  return to_hex(out);
}

}  // namespace

TEST_CASE("a random record has its size and is never the same") {
  vault records;
  const auto first = records.insert_random(40);
  const auto second = records.insert_random(40);
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  CHECK(records.size_of(*first) == 40);
  CHECK(digits_of(records, *first) != digits_of(records, *second));
  CHECK(records.insert_random(0).error() == memory_error::zero_size);
  for (const std::size_t size : {std::size_t{1} << 31, SIZE_MAX}) {
    CHECK(records.insert_random(size).error() == memory_error::limit_exceeded);
    const auto never = [](auto, auto) -> std::expected<void, memory_error> { return std::unexpected(memory_error::damaged); };
    CHECK(records.derive_by(*first, size, never).error() == memory_error::limit_exceeded);
  }
}

TEST_CASE("HKDF gives what RFC 5869 says") {
  vault records;
  const auto key = inserted(records, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
  const auto salt = from_hex("000102030405060708090a0b0c");
  const auto info = from_hex("f0f1f2f3f4f5f6f7f8f9");
  const auto first = records.derive(key, {.info = info, .salt = salt}, 42);
  REQUIRE(first.has_value());
  CHECK(digits_of(records, *first) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  const auto third = records.derive(key, {}, 42);
  REQUIRE(third.has_value());
  CHECK(digits_of(records, *third) == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  CHECK(records.derive(key, {}, 8160).has_value());
  CHECK(records.derive(key, {}, 8161).error() == memory_error::limit_exceeded);
  CHECK(records.derive(key, {}, 0).error() == memory_error::zero_size);
  CHECK(records.derive(vault::id(7), {}, 32).error() == memory_error::not_found);
}

TEST_CASE("HMAC gives what RFC 4231 says, as a record and as a tag") {
  vault records;
  const auto key = inserted(records, "4a656665");
  const std::string_view text = "what do ya want for nothing?";
  const std::string wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  const auto made = records.derive(key, {.function = by::hmac_sha256, .info = bytes_of(text)}, 32);
  REQUIRE(made.has_value());
  CHECK(digits_of(records, *made) == wanted);
  CHECK(records.derive(key, {.function = by::hmac_sha256}, 33).error() == memory_error::limit_exceeded);
  const auto tag = procedures(records).mac(key, bytes_of(text));
  REQUIRE(tag.has_value());
  CHECK(to_hex(*tag) == wanted);
  CHECK(procedures(records).verify_mac(key, bytes_of(text), *tag) == true);
  CHECK(procedures(records).verify_mac(key, bytes_of("another"), *tag) == false);
  CHECK(procedures(records).verify_mac(key, bytes_of(text), std::span(*tag).first(31)) == false);
}

TEST_CASE("HMAC hashes a key that is longer than a block first, as RFC 4231 says") {
  vault records;
  std::string digits;
  for (int byte = 0; byte < 131; ++byte) digits += "aa";
  const auto key = inserted(records, digits);
  const std::string_view text = "Test Using Larger Than Block-Size Key - Hash Key First";
  const auto made = records.derive(key, {.function = by::hmac_sha256, .info = bytes_of(text)}, 32);
  REQUIRE(made.has_value());
  CHECK(digits_of(records, *made) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("keyed BLAKE2b gives what libcrypto gives") {
  vault records;
  for (const std::size_t key_size : {1U, 16U, 63U, 64U}) {
    const traced secret(key_size, key_size);
    const auto held = secret.buffer();
    const auto view = held.read();
    const auto key = *records.insert(held);
    for (const std::size_t text_size : {0U, 1U, 127U, 128U, 129U, 256U, 1000U}) {
      const std::vector<std::byte> text(text_size, std::byte{0x5a});
      for (const std::size_t size : {1U, 32U, 64U}) {
        const auto made = records.derive(key, {.function = by::blake2b, .info = text}, size);
        REQUIRE(made.has_value());
        CHECK(digits_of(records, *made) == blake2b_of_libcrypto({view.data(), view.size()}, text, size));
      }
    }
  }
  const auto long_key = *records.insert_random(65);
  CHECK(records.derive(long_key, {.function = by::blake2b}, 32).error() == memory_error::limit_exceeded);
  const auto key = *records.insert_random(32);
  CHECK(records.derive(key, {.function = by::blake2b}, 65).error() == memory_error::limit_exceeded);
}

TEST_CASE("a program derives a record by a function of its own, whose refusal leaves none") {
  vault records;
  const auto key = *records.insert(traced(1).buffer());
  const auto made = records.derive_by(key, 16, [](std::span<const std::byte> from, std::span<std::byte> out) {
    for (std::size_t at = 0; at < out.size(); ++at) out[at] = from[2 * at];
    return std::expected<void, memory_error>();
  });
  REQUIRE(made.has_value());
  CHECK(records.use(*made, [](auto secret) { return secret[3] == traced(1)[6]; }) == true);
  const auto refused = records.derive_by(
      key, 16, [](auto, auto) -> std::expected<void, memory_error> { return std::unexpected(memory_error::cancelled); });
  CHECK(refused.error() == memory_error::cancelled);
  CHECK(records.size() == 2);
  // Also with a cached record, which would make room for a call of the vault's own.
  const auto cached = records.open(key);
  int calls = 0;
  const auto denied = records.derive_by(key, 16, [&](auto, auto) -> std::expected<void, memory_error> {
    ++calls;
    return std::unexpected(memory_error::denied);
  });
  CHECK(denied.error() == memory_error::denied);
  CHECK(calls == 1);
}

TEST_CASE("what a record seals opens under it alone, with the same bytes beside it") {
  vault records;
  const auto key = *records.insert_random(32);
  const auto sealed = procedures(records).seal(key, bytes_of("attack at dawn"), bytes_of("header"));
  REQUIRE(sealed.has_value());
  CHECK(sealed->size() == 24 + 14 + 16);
  const auto opened = procedures(records).open_sealed(key, *sealed, bytes_of("header"));
  REQUIRE(opened.has_value());
  CHECK(to_hex(opened->read().span()) == to_hex(bytes_of("attack at dawn")));
  CHECK(procedures(records).open_sealed(key, *sealed, bytes_of("other")).error() == memory_error::damaged);
  CHECK(procedures(records).open_sealed(*records.insert_random(32), *sealed, bytes_of("header")).error() ==
        memory_error::damaged);
  for (const std::size_t at : {std::size_t{0}, std::size_t{30}, sealed->size() - 1}) {
    auto changed = *sealed;
    changed[at] ^= std::byte{1};
    CHECK(procedures(records).open_sealed(key, changed, bytes_of("header")).error() == memory_error::damaged);
  }
  CHECK(procedures(records).open_sealed(key, std::span(*sealed).first(39), {}).error() == memory_error::damaged);
  CHECK(procedures(records).seal(*records.insert_random(31), bytes_of("text")).error() == memory_error::limit_exceeded);
}

TEST_CASE("Ed25519 gives what RFC 8032 says") {
  vault records;
  const auto key = inserted(records, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  const auto message = from_hex("72");
  const auto shown = procedures(records).public_key(key);
  REQUIRE(shown.has_value());
  CHECK(to_hex(*shown) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const auto signature = procedures(records).sign(key, message);
  REQUIRE(signature.has_value());
  CHECK(
      to_hex(*signature) ==
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d2916"
      "12bb0c00");
  CHECK(procedures(records).sign(*records.insert_random(33), message).error() == memory_error::limit_exceeded);
  CHECK(procedures(records).sign(vault::id(7), message).error() == memory_error::not_found);
}

TEST_CASE("a key of libcrypto's own kinds is a record in DER") {
  EVP_PKEY* const made = EVP_EC_gen("P-256");
  REQUIRE(made != nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_PrivateKey(made, &der);
  REQUIRE(size > 0);
  vault records;
  const auto key =
      *records.insert(*buffer<std::byte>::take(std::as_writable_bytes(std::span(der, static_cast<std::size_t>(size)))));
  OPENSSL_free(der);
  bool same = false;
  CHECK(procedures(records)
            .use_pkey(key, nullptr,
                      [&](EVP_PKEY* pkey) -> std::expected<void, memory_error> {
                        same = EVP_PKEY_eq(pkey, made) == 1;
                        return {};
                      })
            .has_value());
  CHECK(same);
  EVP_PKEY_free(made);
  CHECK(procedures(records)
            .use_pkey(*records.insert_random(50), nullptr, [](auto*) { return std::expected<void, memory_error>(); })
            .error() == memory_error::damaged);
  CHECK(procedures(records).use_pkey(key, "ED25519", [](auto*) { return std::expected<void, memory_error>(); }).error() ==
        memory_error::damaged);
}

TEST_CASE("no procedure leaves a copy of the record, or of what it derives, in memory") {
  if (!memory_can_be_searched()) return;
  vault records(vault::options{.hot_records = 0});
  const traced secret(3);
  const auto key = *records.insert(secret.buffer());
  // The derived record is the first one again, so that it can be looked for.
  const auto same = records.derive_by(key, 32, [](std::span<const std::byte> from, std::span<std::byte> out) {
    std::ranges::copy(from, out.begin());
    return std::expected<void, memory_error>();
  });
  REQUIRE(same.has_value());
  REQUIRE(records.derive(key, {}, 64).has_value());
  REQUIRE(records.derive(key, {.function = by::blake2b}, 64).has_value());
  REQUIRE(procedures(records).mac(key, bytes_of("text")).has_value());
  REQUIRE(procedures(records).seal(key, bytes_of("text")).has_value());
  REQUIRE(procedures(records).sign(key, bytes_of("text")).has_value());
  REQUIRE(procedures(records).public_key(key).has_value());
  CHECK(secret.copies_in_memory() == 0);
}
