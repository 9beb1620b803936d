// refusal_test.cc - receipts, and sizes and alignments that cannot be.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "support/page_state.h"

TEST_CASE("a secret is locked and left out of core dumps, and its receipt says so") {
  auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
  REQUIRE(secret != nullptr);
  lockfast_receipt receipt;
  REQUIRE(lockfast_describe(secret, &receipt) == 0);
  CHECK(receipt.size == 32);
  CHECK(receipt.placement == LOCKFAST_ISOLATED);
  CHECK((receipt.backing == LOCKFAST_LOCKED || receipt.backing == LOCKFAST_HIDDEN));
  CHECK(receipt.access == LOCKFAST_READWRITE);
  CHECK(receipt.lock_error == 0);
  CHECK(receipt.dump_error == dump_error_here());
  CHECK(receipt.fork_error == advice_error());
  CHECK((receipt.hide_error == 0) == (receipt.backing == LOCKFAST_HIDDEN));
  CHECK(state_of(secret).locked);
  CHECK(state_of(secret).undumpable == advice_is_followed());
  REQUIRE(lockfast_protect(secret, LOCKFAST_READONLY) == 0);
  REQUIRE(lockfast_describe(secret, &receipt) == 0);
  CHECK(receipt.access == LOCKFAST_READONLY);
  lockfast_free(secret);
}

TEST_CASE("sizes and alignments that can't be are refused with ENOMEM or EINVAL, and errno is left alone otherwise") {
  for (const std::size_t size :
       {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, SIZE_MAX / 2, std::size_t{1} << (sizeof(std::size_t) == 8 ? 47 : 31)}) {
    CAPTURE(size);
    errno = 0;
    CHECK(lockfast_malloc(size) == nullptr);
    CHECK(errno == ENOMEM);
    errno = 0;
    CHECK(lockfast_aligned_alloc(64, size) == nullptr);
    CHECK(errno == ENOMEM);
  }
  // The second product is 2 where it overflows unseen.
  for (const std::size_t count : {SIZE_MAX, SIZE_MAX / 2 + 2}) {
    errno = 0;
    CHECK(lockfast_calloc(count, 2) == nullptr);
    CHECK(errno == ENOMEM);
  }
  for (const std::size_t alignment : {0U, 3U, 24U}) {
    errno = 0;
    CHECK(lockfast_aligned_alloc(alignment, 48) == nullptr);
    CHECK(errno == EINVAL);
  }
  for (const std::size_t alignment : {SIZE_MAX / 2 + 1, std::size_t{1} << 31}) {
    errno = 0;
    CHECK(lockfast_aligned_alloc(alignment, 1) == nullptr);
    CHECK(errno == ENOMEM);
  }
  errno = 1234;
  void* const secret = lockfast_calloc(3, 5);
  REQUIRE(secret != nullptr);
  CHECK(lockfast_size(secret) == 15);
  CHECK(static_cast<const char*>(secret)[14] == 0);
  lockfast_free(secret);
  CHECK(errno == 1234);
  void* const closed = lockfast_malloc_isolated(15);
  REQUIRE(closed != nullptr);
  CHECK(lockfast_protect(closed, LOCKFAST_NOACCESS) == 0);
  lockfast_free(closed);
  CHECK(errno == 1234);
}

TEST_CASE("equal compares and wipe wipes") {
  char left[] = "abcdef";
  char right[] = "abcdef";
  CHECK(lockfast_equal(left, right, 6) == 1);
  right[5] = 'x';
  CHECK(lockfast_equal(left, right, 6) == 0);
  CHECK(lockfast_equal(left, right, 5) == 1);
  lockfast_wipe(left, 3);
  CHECK(std::memcmp(left, "\0\0\0def", 6) == 0);
}
