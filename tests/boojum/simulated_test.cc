// simulated_test.cc - what the simulated host shows and a real one does not: which pages are open, and what is drawn of the same
// random bytes.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

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

TEST_CASE("two processes that are given the same random bytes draw two nonces") {
  const auto draw = [] { say(to_hex(*internal::fresh_nonce()).c_str()); };
  const ending one = in_child(draw);
  const ending other = in_child(draw);
  CHECK(one.text.size() == 2 * internal::nonce_size);
  CHECK(one.text != other.text);
}
