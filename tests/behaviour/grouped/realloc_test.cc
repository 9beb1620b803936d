// realloc_test.cc - what a grouped secret becomes when it is reallocated, and what is left where it was.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "behaviour/grouped.h"
#include "support/page_state.h"

namespace {

constexpr unsigned char fresh = 0;

}  // namespace

TEST_CASE("realloc stays while the size class is the same, shows no old bytes, and wipes what it cuts off") {
  check_clean(in_child([] {
    for (const std::size_t size : {1U, 20U, 100U, 1000U, 10000U}) {
      const std::size_t most = capacity_of(size);
      char* const secret = secret_of(size);
      char* const grown = static_cast<char*>(lockfast_realloc(secret, most));
      promised(grown == secret && lockfast_size(secret) == most, "as large as the slot");
      promised(filled(secret, size, 'x') && filled(secret + size, most - size, fresh), "fresh bytes behind the old ones");
      std::memset(secret, 'y', most);
      promised(lockfast_check(secret) == 0, "whole canaries");
      char* const cut = static_cast<char*>(lockfast_realloc(secret, size));
      promised(cut == secret && filled(secret, size, 'y') && lockfast_size(secret) == size, "shorter, where it was");
      // A canary stands there now, of random bytes: one or two of them may be the same.
      promised(std::search_n(secret + size, secret + most, 3, 'y') == secret + most, "what was cut off is wiped");
      promised(lockfast_check(secret) == 0, "whole canaries");
      char* const again = static_cast<char*>(lockfast_realloc(secret, most));
      promised(again == secret && filled(secret + size, most - size, fresh), "fresh bytes again");
      lockfast_free(secret);
    }
  }));
}

TEST_CASE("realloc to another size class moves the secret and wipes it where it was") {
  check_clean(in_child([] {
    constexpr std::size_t sizes[] = {0, 1, 30, 33, 64, 100, 500, 3000, 9000, max_grouped};
    for (const std::size_t from : sizes) {
      for (const std::size_t to : sizes) {
        char* const secret = secret_of(from);
        for (std::size_t at = 0; at < from; ++at) secret[at] = static_cast<char>(at * 7 + 1);
        errno = 0;
        char* const moved = static_cast<char*>(lockfast_realloc(secret, to));
        promised(moved != nullptr && errno == 0, "a secret of the new size");
        promised(lockfast_size(moved) == to && receipt_of(moved).placement == LOCKFAST_GROUPED, "grouped still");
        const std::size_t kept = std::min(from, to);
        for (std::size_t at = 0; at < kept; ++at) promised(moved[at] == static_cast<char>(at * 7 + 1), "its bytes");
        promised(filled(moved + kept, to - kept, fresh), "fresh bytes behind them");
        if (moved != secret) promised(lockfast_size(secret) == 0 && gone(secret, from), "nothing where it was");
        promised(statistics().live == 1, "one secret");
        lockfast_free(moved);
      }
    }
  }));
}

TEST_CASE("realloc beyond 16 KiB isolates, an isolated secret stays isolated, and a refusal changes nothing") {
  check_clean(in_child([] {
    char* const secret = secret_of(100);
    char* const large = static_cast<char*>(lockfast_realloc(secret, 100000));
    promised(large != nullptr && receipt_of(large).placement == LOCKFAST_ISOLATED, "isolated");
    promised(filled(large, 100, 'x') && filled(large + 100, 99900, fresh), "its bytes");
    promised(!readable_here(large + 100000), "the trap behind");
    promised(gone(secret, 100), "nothing where it was");
    promised(lockfast_protect(large, LOCKFAST_NOACCESS) == 0, "an access of its own");
    lockfast_free(large);

    auto* const isolated = static_cast<char*>(lockfast_malloc_isolated(5000));
    prove(isolated != nullptr, "an isolated secret");
    auto* const small = static_cast<char*>(lockfast_realloc(isolated, 10));
    promised(small != nullptr && receipt_of(small).placement == LOCKFAST_ISOLATED, "isolated still");
    lockfast_free(small);

    char* const whole = secret_of(32);
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2}) {
      errno = 0;
      promised(lockfast_realloc(whole, size) == nullptr && errno == ENOMEM, "refused");
      promised(filled(whole, 32, 'x') && lockfast_size(whole) == 32 && lockfast_check(whole) == 0, "as it was");
    }
    lockfast_free(whole);
    auto* const fresh_one = static_cast<char*>(lockfast_realloc(nullptr, 8));
    promised(fresh_one != nullptr && receipt_of(fresh_one).placement == LOCKFAST_GROUPED, "from nothing");
    lockfast_free(fresh_one);
  }));
}

TEST_CASE("a chain of reallocs keeps every byte that no step cut off") {
  check_clean(in_child([] {
    std::mt19937 random(7);
    std::vector<unsigned char> wanted;
    char* secret = nullptr;
    for (int round = 0; round < 5000; ++round) {
      const std::size_t size = random() % (random() % 10 == 0 ? 40000 : 600);
      secret = static_cast<char*>(lockfast_realloc(secret, size));
      prove(secret != nullptr, "a secret");
      wanted.resize(size, fresh);
      promised(std::memcmp(secret, wanted.data(), size) == 0, "its bytes");
      promised(lockfast_check(secret) == 0, "its canaries");
      for (int count = 0; count < 10 && size > 0; ++count) {
        const std::size_t at = random() % size;
        wanted[at] = static_cast<unsigned char>(random());
        secret[at] = static_cast<char>(wanted[at]);
      }
    }
    lockfast_free(secret);
    promised(statistics().live == 0, "none is live");
  }));
}
