// breach_test.cc - each fault beside a live grouped secret, by the line that it brings and the signal that follows.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "behaviour/grouped.h"

namespace {

constexpr std::size_t sizes[] = {0, 1, 15, 16, 17, 31, 32, 33, 64, 100, 500, 1024, 4000, 4096, 10000, max_grouped};
constexpr int reuse_attempts = 50000;  // far more allocations than it takes until any slot is used again

// Allocates and frees secrets of a size until one lies at this address, and returns it; the others are freed again.
char* another_at(const char* address, std::size_t size) {
  for (int attempt = 0; attempt < reuse_attempts; ++attempt) {
    char* const again = secret_of(size);
    if (again == address) return again;
    lockfast_free(again);
  }
  prove(false, "a secret in the place of the first");
  return nullptr;
}

}  // namespace

TEST_CASE("a changed byte right before a grouped secret ends the process at free, at every size") {
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    check_breach(in_child([&] {
                   char* const secret = secret_of(size);
                   flip(secret - 1);
                   lockfast_free(secret);
                 }),
                 broken);
  }
}

TEST_CASE("any changed bit of the byte before and of the byte behind a grouped secret ends the process at free") {
  for (const std::size_t size : {32U, 41U}) {
    for (const int at : {-1, static_cast<int>(size)}) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        CAPTURE(at);
        CAPTURE(bit);
        check_breach(in_child([&] {
                       char* const secret = secret_of(size);
                       flip(secret + at, bit);
                       lockfast_free(secret);
                     }),
                     broken);
      }
    }
  }
}

TEST_CASE("a changed byte right behind a grouped secret ends the process at free, at every size") {
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    check_breach(in_child([&] {
                   char* const secret = secret_of(size);
                   flip(secret + size);
                   lockfast_free(secret);
                 }),
                 broken);
  }
}

TEST_CASE("a changed byte anywhere between the end of a secret and the end of its slot ends the process at free") {
  for (const std::size_t size : {0U, 1U, 17U, 33U, 100U, 700U, 5000U}) {
    CAPTURE(size);
    std::size_t capacity = size;
    const ending measured =
        in_child([&] { std::_Exit(static_cast<int>(std::min<std::size_t>(capacity_of(size) - size, 200))); });
    REQUIRE(measured.signal == 0);
    capacity += static_cast<std::size_t>(measured.status);
    for (std::size_t at = size; at < capacity; at += at < size + 20 ? 1 : 13) {
      CAPTURE(at);
      check_breach(in_child([&] {
                     char* const secret = secret_of(size);
                     flip(secret + at);
                     lockfast_free(secret);
                   }),
                   broken);
    }
  }
}

TEST_CASE("check says EFAULT while a byte beside a grouped secret is changed, and audit counts the secret") {
  check_clean(in_child([] {
    std::vector<char*> all;
    for (const std::size_t size : sizes) all.push_back(secret_of(size));
    promised(lockfast_audit() == 0, "nothing is damaged");
    for (std::size_t which = 0; which < all.size(); ++which) {
      for (const auto at : {std::ptrdiff_t{-1}, static_cast<std::ptrdiff_t>(sizes[which])}) {
        promised(lockfast_check(all[which]) == 0, "whole before");
        flip(all[which] + at);
        errno = 0;
        promised(lockfast_check(all[which]) == -1 && errno == EFAULT, "EFAULT");
        // What lies between two secrets may be the canary of both.
        const std::size_t damaged = lockfast_audit();
        promised(damaged == 1 || damaged == 2, "one is counted, or it and its neighbour");
        flip(all[which] + at);
        promised(lockfast_check(all[which]) == 0 && lockfast_audit() == 0, "whole again");
      }
    }
    for (char* const secret : all) lockfast_free(secret);
  }));
}

TEST_CASE("audit counts each damaged secret of many, and none beside them") {
  check_clean(in_child([] {
    std::vector<char*> all;
    for (int count = 0; count < 3000; ++count) all.push_back(secret_of(1));
    prove(capacity_of(1) >= 2, "a slot that is larger than its secret");
    for (std::size_t which = 0; which < all.size(); which += 100) flip(all[which] + 1);
    promised(lockfast_audit() == 30, "thirty");
    for (std::size_t which = 0; which < all.size(); ++which) {
      promised(lockfast_check(all[which]) == (which % 100 == 0 ? -1 : 0), "these and no others");
    }
    for (std::size_t which = 0; which < all.size(); which += 100) flip(all[which] + 1);
    promised(lockfast_audit() == 0, "none");
    for (char* const secret : all) lockfast_free(secret);
  }));
}

TEST_CASE("a changed canary ends the process at realloc, be it to more, to less, or to the same") {
  for (const std::size_t wanted : {0U, 20U, 32U, 40U, 2000U, 100000U}) {
    for (const int at : {-1, 32}) {
      CAPTURE(wanted);
      CAPTURE(at);
      check_breach(in_child([&] {
                     char* const secret = secret_of(32);
                     flip(secret + at);
                     (void)!lockfast_realloc(secret, wanted);
                   }),
                   broken);
    }
  }
}

TEST_CASE("an overrun into the next slot ends the process at free of either secret") {
  for (const bool first : {true, false}) {
    CAPTURE(first);
    check_breach(in_child([&] {
                   std::vector<char*> all;
                   for (int count = 0; count < 2000; ++count) all.push_back(secret_of(32));
                   std::ranges::sort(all);
                   const auto at = std::ranges::adjacent_find(all, [](const char* a, const char* b) { return b - a < 200; });
                   prove(at != all.end(), "two secrets side by side");
                   char* const secret = at[0];
                   char* const next = at[1];
                   std::memset(secret + 32, 'o', static_cast<std::size_t>(next - secret));
                   lockfast_free(first ? secret : next);
                 }),
                 broken);
  }
}

TEST_CASE("another secret's canary, and the canary of the slot's earlier tenant, are no canary of this one") {
  check_breach(in_child([] {
                 constexpr std::size_t size = 1;
                 const std::size_t behind = capacity_of(size) - size;
                 prove(behind >= 8, "room for a canary that differs");
                 char* const secret = secret_of(size);
                 const char* const other = secret_of(size);
                 prove(std::memcmp(secret + size, other + size, behind) != 0, "canaries that differ");
                 std::memcpy(secret + size, other + size, behind);
                 lockfast_free(secret);
               }),
               broken);
  check_breach(in_child([] {
                 constexpr std::size_t size = 1;
                 const std::size_t behind = capacity_of(size) - size;
                 prove(behind >= 8, "room for a canary that differs");
                 char* const secret = secret_of(size);
                 const std::vector<char> earlier(secret + size, secret + size + behind);
                 lockfast_free(secret);
                 prove(another_at(secret, size) == secret, "the same slot");
                 prove(std::memcmp(secret + size, earlier.data(), behind) != 0, "canaries that differ");
                 std::memcpy(secret + size, earlier.data(), behind);
                 lockfast_free(secret);
               }),
               broken);
}

TEST_CASE("a broken canary of one secret says nothing of its neighbours") {
  const ending end = in_child([] {
    std::vector<char*> all;
    for (int count = 0; count < 200; ++count) all.push_back(secret_of(1));
    prove(capacity_of(1) >= 2, "a slot that is larger than its secret");
    flip(all[77] + 1);
    for (int count = 0; count < 200; ++count) {
      if (count != 77) lockfast_free(all[static_cast<std::size_t>(count)]);
    }
    say("neighbours freed\n");
    lockfast_free(all[77]);
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == std::string("neighbours freed\nlockfast: ") + broken + "\n");
}

TEST_CASE("protect of a grouped secret is refused with ENOTSUP, and nothing is changed") {
  check_clean(in_child([] {
    char* const secret = secret_of(32);
    for (const lockfast_access access : {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
      errno = 0;
      promised(lockfast_protect(secret, access) == -1 && errno == ENOTSUP, "ENOTSUP");
      promised(filled(secret, 32, 'x'), "its bytes");
      secret[0] = 'y';
      secret[0] = 'x';
      promised(receipt_of(secret).access == LOCKFAST_READWRITE, "its access");
      promised(lockfast_check(secret) == 0, "its canaries");
    }
    promised(lockfast_protect(secret, static_cast<lockfast_access>(3)) == -1, "no such access");
    promised(statistics().refusals == 0 || statistics().live == 1, "counts");
    lockfast_free(secret);
  }));
}
