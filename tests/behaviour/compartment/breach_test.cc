// breach_test.cc - faults with a compartment's secrets, open or closed, by the line that they bring.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "behaviour/compartment/compartment.h"

namespace {

constexpr std::size_t sizes[] = {0, 1, 32, 4096, max_grouped + 1, 200000};
constexpr lockfast_access accesses[] = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE};

// A secret of a compartment whose byte at `at` is changed, and which then gets an access.
struct harmed {
  harmed(std::size_t size, std::ptrdiff_t at, lockfast_access access) : keys(new_compartment()), secret(secret_in(keys, size)) {
    prove(lockfast_check(secret) == 0, "whole canaries");
    secret[at] = static_cast<char>(secret[at] ^ 1);
    prove(lockfast_compartment_protect(keys, access) == 0, "an access");
  }
  compartment* keys;
  char* secret;
};

}  // namespace

TEST_CASE("a changed byte before or behind a compartment's secret ends the process at free, whatever the access") {
  for (const std::size_t size : sizes) {
    for (const bool before : {true, false}) {
      for (const lockfast_access access : accesses) {
        CAPTURE(size);
        CAPTURE(before);
        CAPTURE(access);
        check_breach(in_child([&] {
                       const harmed one(size, before ? -1 : static_cast<std::ptrdiff_t>(size), access);
                       lockfast_free(one.secret);
                     }),
                     broken);
      }
    }
  }
}

TEST_CASE("a changed byte beside a compartment's secret ends the process at realloc and at destroy") {
  for (const lockfast_access access : accesses) {
    CAPTURE(access);
    check_breach(in_child([&] {
                   const harmed one(32, 32, access);
                   (void)!lockfast_realloc(one.secret, 5000);
                 }),
                 broken);
    check_breach(in_child([&] {
                   const harmed one(32, -1, access);
                   lockfast_compartment_destroy(one.keys);
                 }),
                 broken);
  }
}

TEST_CASE("check says EFAULT of a compartment's damaged secret, audit counts it, whatever the access, which stays") {
  check_clean(in_child([] {
    for (const lockfast_access access : accesses) {
      const harmed one(1, 1, access);
      errno = 0;
      promised(lockfast_check(one.secret) == -1 && errno == EFAULT, "EFAULT");
      promised(lockfast_audit() == 1, "one");
      promised(has(one.secret, access), "its access");
      open_to(one.keys, LOCKFAST_READWRITE);
      one.secret[1] ^= 1;
      promised(lockfast_audit() == 0, "none");
      lockfast_compartment_destroy(one.keys);
    }
  }));
}

TEST_CASE("a second free, of a compartment's secret, ends the process, whatever the access") {
  for (const std::size_t size : {0U, 32U, 5000U}) {
    for (const lockfast_access access : accesses) {
      check_breach(in_child([&] {
                     compartment* const keys = new_compartment();
                     char* const secret = secret_in(keys, size);
                     (void)secret_in(keys, size);
                     prove(lockfast_compartment_protect(keys, access) == 0, "an access");
                     lockfast_free(secret);
                     lockfast_free(secret);
                   }),
                   twice);
    }
  }
}

TEST_CASE("a pointer into a compartment's secret, and one before it, end the process") {
  for (const std::size_t size : {32U, 200000U}) {
    for (const std::ptrdiff_t offset :
         {std::ptrdiff_t{1}, std::ptrdiff_t{16}, static_cast<std::ptrdiff_t>(size) - 1, std::ptrdiff_t{-1}}) {
      check_breach(in_child([&] { lockfast_free(secret_in(new_compartment(), size) + offset); }), inner);
    }
  }
}

TEST_CASE("to free a secret whose compartment is destroyed is a breach") {
  for (const std::size_t size : sizes) {
    const ending end = in_child([&] {
      compartment* const keys = new_compartment();
      char* const secret = secret_in(keys, size);
      lockfast_compartment_destroy(keys);
      lockfast_free(secret);
    });
    CAPTURE(end.text);
    CHECK(end.signal == SIGABRT);
    CHECK((end.said(twice) || end.said(foreign) || end.said(inner)));
  }
}

TEST_CASE("a write to a compartment's freed slot is found when the slot is used again, or at the end of the compartment") {
  check_breach(in_child([] {
                 compartment* const keys = new_compartment();
                 char* const secret = secret_in(keys, 32);
                 (void)secret_in(keys, 32);
                 lockfast_free(secret);
                 secret[7] = 'w';
                 for (int others = 0; others < 50000; ++others) lockfast_free(secret_in(keys, 32));
                 prove(false, "a reuse of the slot");
               }),
               late);
  check_breach(in_child([] {
                 compartment* const keys = new_compartment();
                 char* const secret = secret_in(keys, 32);
                 (void)secret_in(keys, 32);
                 lockfast_free(secret);
                 secret[7] = 'w';
                 lockfast_compartment_destroy(keys);
                 prove(false, "an end of the compartment");
               }),
               late);
}
