// quarantine_test.cc - quarantine=yield and quarantine=hold at a shortage, on the real host; options that the environment does not
// change.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "support/check.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

using compartment = struct lockfast_compartment;

void limit_locks(std::size_t bytes) {
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
}

enum kind : int { isolated, grouped, in_compartment };

void* make(kind which, compartment* keys) {
  if (which == isolated) return lockfast_malloc_isolated(32);
  return which == grouped ? lockfast_malloc(2000) : lockfast_compartment_malloc(keys, 2000);
}

}  // namespace

TEST_CASE("at a shortage a freed place is used again at once, or under quarantine=hold the request is refused") {
  for (const bool holds : {false, true}) {
    for (const kind which : {isolated, grouped, in_compartment}) {
      CAPTURE(holds);
      CAPTURE(which);
      check_clean(in_child([=] {
        prove(set_variable("LOCKFAST_OPTIONS", holds ? "hidden=off,quarantine=hold" : "hidden=off"), "the variable");
        limit_locks(256 * 1024);
        compartment* const keys = lockfast_compartment_create();
        prove(keys != nullptr, "a compartment");
        static void* held[1024];
        std::size_t count = 0;
        while ((held[count] = make(which, keys)) != nullptr) prove(++count < 1024, "a limit that is met");
        promised(errno == ENOMEM && count > 8, "ENOMEM");
        void* const freed = held[--count];
        lockfast_free(freed);
        void* const next = make(which, keys);
        if (!holds) {
          promised(next == freed, "the place that was just freed");
          return;
        }
        promised(next != freed, "not the place that was just freed");
        // A thread keeps a slot or two of those that were never used, as if they rested.
        if (which != grouped) promised(next == nullptr && errno == ENOMEM, "ENOMEM");
        // Others that are freed later end its rest.
        for (int later = 0; later < 17 && count != 0; ++later) lockfast_free(held[--count]);
        promised(make(which, keys) != nullptr, "a place that has rested");
        // So does the program.
        while (make(which, keys) != nullptr) {
        }
        (void)lockfast_trim();
        promised(make(which, keys) != nullptr, "a place that was trimmed");
      }));
    }
  }
}

TEST_CASE("a program that ignores the environment starts under its own policy, whatever LOCKFAST_OPTIONS says") {
  for (const char* const variable : {"freed=recycle", "lock=maybe", ","}) {
    CAPTURE(variable);
    check_clean(in_child([variable] {
      prove(set_variable("LOCKFAST_OPTIONS", variable), "the variable");
      lockfast_options asked = {};
      asked.environment = LOCKFAST_ENVIRONMENT_IGNORED;
      promised(lockfast_configure(&asked) == 0, "configure");
      void* const secret = lockfast_malloc_isolated(8);
      promised(secret != nullptr, "a secret");
      lockfast_free(secret);
      promised(traps_on_read(secret), "the default");
    }));
  }
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "freed=recycle"), "the variable");
    lockfast_options asked = {};
    asked.environment = LOCKFAST_ENVIRONMENT_READ;
    promised(lockfast_configure(&asked) == 0, "configure");
    void* const secret = lockfast_malloc_isolated(8);
    prove(secret != nullptr, "a secret");
    lockfast_free(secret);
    promised(!traps_on_read(secret), "the environment's");
  }));
}

TEST_CASE("configure refuses what it does not know: values outside their enums, and reserved ones that are not 0") {
  check_clean(in_child([] {
    lockfast_options asked = {};
    asked.quarantine = static_cast<lockfast_quarantine>(3);
    promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "EINVAL");
    asked = {};
    asked.environment = static_cast<lockfast_environment>(3);
    promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "EINVAL");
    asked = {};
    asked.idle = static_cast<lockfast_idle>(3);
    promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "EINVAL");
    asked = {};
    for (int& reserved : asked.reserved) {
      reserved = 1;
      promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "EINVAL");
      reserved = 0;
    }
    promised(lockfast_configure(&asked) == 0, "nothing asked for");
  }));
}
