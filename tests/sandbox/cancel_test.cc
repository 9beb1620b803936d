// cancel_test.cc - a thread that is to be cancelled comes back from every call of the C interface, and leaves no mutex behind.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

#include "filter.h"
#include "lifecycle.h"
#include "support/check.h"
#include "support/child.h"

namespace {

bool came_back = false;

void* live_while_cancelled(void*) {
  (void)pthread_cancel(pthread_self());  // deferred: it waits for the next cancellation point
  live_in_c();
  came_back = true;
  pthread_testcancel();
  return nullptr;
}

void live_in_both_threads() {
  pthread_t other;
  void* result = nullptr;
  prove(pthread_create(&other, nullptr, live_while_cancelled, nullptr) == 0, "a thread");
  prove(pthread_join(other, &result) == 0, "its end");
  prove(result == PTHREAD_CANCELED, "it was to be cancelled");
  promised(came_back, "no call was a cancellation point");
  live_in_c();
}

}  // namespace

TEST_CASE("no call of the C interface is a cancellation point") {
  for (const char* const options : {"crash=none", "hidden=off", "lock=preferred,freed=recycle"}) {
    CAPTURE(options);
    check_clean(in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
      live_in_both_threads();
    }));
  }
  // Where the random bytes come from the device.
  check_clean(in_child([] {
    const long random = SYS_getrandom;
    prove(filter_calls({&random, 1}, verdict::refuse(ENOSYS), verdict::allow()), "the filter");
    live_in_both_threads();
  }));
}

TEST_CASE("a breach in a thread that is to be cancelled ends the process, and says so") {
  const ending end = in_child([] {
    const auto damage = [](void*) -> void* {
      auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
      prove(secret != nullptr, "a secret");
      secret[-1] ^= 1;
      (void)pthread_cancel(pthread_self());
      lockfast_free(secret);
      return nullptr;
    };
    pthread_t other;
    prove(pthread_create(&other, nullptr, damage, nullptr) == 0 && pthread_join(other, nullptr) == 0, "a thread");
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == "lockfast: broken canary: bytes beside a secret were changed\n");
}
