// poly1305_test.cc - the authenticator agrees with RFC 8439, at the edges of its modulus too.
#include "allocator/cipher/poly1305.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/hex.h"

namespace {

using lockfast::internal::poly1305;

std::string tag_of(std::string_view key, const std::vector<std::byte>& message) {
  const auto bytes = from_hex(key);
  poly1305 sum(std::span<const std::byte, poly1305::key_size>(bytes.data(), poly1305::key_size));
  sum.add_last(message);
  std::vector<std::byte> tag(poly1305::tag_size);
  sum.finish(std::span<std::byte, poly1305::tag_size>(tag.data(), tag.size()));
  return to_hex(tag);
}

}  // namespace

TEST_CASE("Poly1305 gives the tag of RFC 8439, section 2.5.2") {
  constexpr std::string_view text = "Cryptographic Forum Research Group";
  const auto bytes = std::as_bytes(std::span(text));
  CHECK(tag_of("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b", {bytes.begin(), bytes.end()}) ==
        "a8061dc1305136c6c22b8baf0c0127a9");
}

TEST_CASE("Poly1305 gives the tags of RFC 8439, appendix A.3, vectors 1 and 7 to 11") {
  const std::string zeros(32, '0');
  const std::string ones(32, 'f');
  const std::string r_of_1 = "01" + std::string(62, '0');
  const std::string r_of_2 = "02" + std::string(62, '0');
  CHECK(tag_of(zeros + zeros, from_hex(zeros + zeros + zeros + zeros)) == zeros);
  CHECK(tag_of(r_of_2, from_hex(ones)) == "03" + zeros.substr(2));
  CHECK(tag_of("02" + zeros.substr(2) + ones, from_hex("02" + zeros.substr(2))) == "03" + zeros.substr(2));
  CHECK(tag_of(r_of_1, from_hex(ones + "f0" + ones.substr(2) + "11" + zeros.substr(2))) == "05" + zeros.substr(2));
  CHECK(tag_of(r_of_1, from_hex(ones + "fbfefefefefefefefefefefefefefefe" + "01010101010101010101010101010101")) == zeros);
  CHECK(tag_of(r_of_2, from_hex("fd" + ones.substr(2))) == "fa" + ones.substr(2));
}

TEST_CASE("Poly1305 reduces where the carries run through: RFC 8439, appendix A.3, vectors 10 and 11 in full") {
  const std::string r = "01000000000000000400000000000000" + std::string(32, '0');
  const std::string first =
      "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000000";
  const std::string last = "01000000000000000000000000000000";
  const std::string blocks = first.substr(0, 96);
  CHECK(tag_of(r, from_hex(blocks + last)) == "14000000000000005500000000000000");
  CHECK(tag_of(r, from_hex(blocks)) == "13000000000000000000000000000000");
}
