// simulated_test.cc - what the simulated host shows and a real one does not: which pages are open, and what is drawn of the same
// random bytes.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <array>
#include <string>

#include "boojum/crypto/nonce.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/hex.h"

using namespace lockfast;

TEST_CASE("the shares of a new secret are closed before anybody has used it") {
  check_clean(in_child([] {
    const auto make = [] { return non_contiguous_memory::create(*buffer<std::byte>::zeroed(40), {.prekey = 32}); };
    const auto first = make();
    prove(first && first->unlock(), "a secret that was used");
    const std::size_t accessible = simulated::bytes_accessible();
    const auto second = make();
    prove(second.has_value(), "a secret");
    promised(simulated::bytes_accessible() == accessible, "no page more");
  }));
}

TEST_CASE("two processes that are given the same random bytes draw different nonces, one or several at once") {
  constexpr std::size_t count = 3;
  const auto draw = [] {
    std::string text = to_hex(*internal::fresh_nonce());
    std::array<internal::nonce, count> several;
    prove(internal::fresh_nonces(several) == 0, "several");
    for (const internal::nonce& each : several) text += to_hex(each);
    say(text.c_str());
  };
  const ending one = in_child(draw);
  const ending other = in_child(draw);
  constexpr std::size_t length = 2 * internal::nonce_size;
  REQUIRE(one.text.size() == (1 + count) * length);
  REQUIRE(other.text.size() == one.text.size());
  for (std::size_t at = 0; at < one.text.size(); at += length) {
    CHECK(one.text.compare(at, length, other.text, at, length) != 0);
  }
}
