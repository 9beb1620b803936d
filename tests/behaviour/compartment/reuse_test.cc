// reuse_test.cc - handles of destroyed compartments, and the places of freed secrets.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include "behaviour/compartment/compartment.h"
#include "support/child.h"

namespace {

constexpr char stale[] = "lockfast: stale compartment";

void check_stale(void (*use)(compartment* destroyed), const char* line) {
  const ending end = in_child([use] {
    compartment* const earlier = new_compartment();
    lockfast_compartment_destroy(earlier);
    // Another one has the record now.
    compartment* const later = new_compartment();
    promised(later != earlier, "a handle of its own");
    char* const secret = secret_in(later, 32);
    promised(*secret == 'x', "open");
    use(earlier);
    promised(false, "a breach");
  });
  CAPTURE(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.said(line));
}

}  // namespace

TEST_CASE("a handle whose compartment was destroyed ends the process, though another compartment has its record") {
  check_stale([](compartment* destroyed) { (void)!lockfast_compartment_protect(destroyed, LOCKFAST_NOACCESS); }, stale);
  check_stale([](compartment* destroyed) { (void)!lockfast_compartment_malloc(destroyed, 32); }, stale);
  check_stale([](compartment* destroyed) { lockfast_compartment_destroy(destroyed); }, "lockfast: double free");
  // One that never was a handle is told apart as well, without being followed.
  check_stale([](compartment*) { (void)!lockfast_compartment_malloc(reinterpret_cast<compartment*>(8), 32); }, stale);
  check_stale([](compartment*) { (void)!lockfast_compartment_malloc(reinterpret_cast<compartment*>(UINTPTR_MAX), 32); }, stale);
}

TEST_CASE("a destroyed compartment's handle stays stale however many come after it") {
  const ending end = in_child([] {
    compartment* const earlier = new_compartment();
    lockfast_compartment_destroy(earlier);
    for (int others = 0; others < 5000; ++others) {
      compartment* const later = new_compartment();
      promised(later != earlier, "a handle of its own");
      lockfast_compartment_destroy(later);
    }
    (void)!lockfast_compartment_malloc(earlier, 1);
  });
  CAPTURE(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.said(stale));
}

TEST_CASE("without keys the 65th compartment that a thread would hold open is refused with ENOMEM") {
  const ending end = in_child([] {
    // With protection keys the first 15 need no grant.
    std::vector<compartment*> made;
    for (int count = 0; count < 64 + 15; ++count) {
      compartment* const one = lockfast_compartment_create();
      if (one == nullptr) break;
      made.push_back(one);
    }
    errno = 0;
    promised(made.size() >= 64, "64 open");
    promised(lockfast_compartment_create() == nullptr && errno == ENOMEM, "ENOMEM");
    prove(lockfast_compartment_protect(made.back(), LOCKFAST_NOACCESS) == 0, "one closed");
    promised(lockfast_compartment_create() != nullptr, "room for another");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a freed secret's place in a compartment rests before it is used again, at every size") {
  for (const std::size_t size : {1U, 32U, 500U, 2048U, 4000U, 10000U, 16384U, 20000U, 300000U}) {
    CAPTURE(size);
    const ending end = in_child([size] {
      compartment* const keys = new_compartment();
      const int rounds = size > 100'000 ? 10 : 50;  // what stays live is what an ordinary user may lock
      for (int round = 0; round < rounds; ++round) {
        char* const freed = secret_in(keys, size);
        lockfast_free(freed);
        promised(secret_in(keys, size) != freed, "another place");
      }
    });
    CAPTURE(end.text);
    CHECK(end.clean());
  }
}

TEST_CASE("the last sixteen places that were freed in a compartment are not used, and trim ends their rest") {
  const ending end = in_child([] {
    compartment* const keys = new_compartment();
    for (int round = 0; round < 200; ++round) {
      std::vector<char*> freed;
      for (int count = 0; count < 16; ++count) freed.push_back(secret_in(keys, 32));
      for (char* const each : freed) lockfast_free(each);
      char* const next = secret_in(keys, 32);
      for (const char* const each : freed) promised(next != each, "another place");
      lockfast_free(next);
    }
    promised(lockfast_trim() != 0, "pages given back");
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    promised(now.live == 0 && now.bytes_locked == 0, "nothing locked");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a compartment's slots are not handed out in order") {
  check_clean(in_child([] {
    compartment* const keys = new_compartment();
    std::vector<char*> all;
    for (int count = 0; count < 64; ++count) all.push_back(secret_in(keys, 32));
    std::vector<std::ptrdiff_t> steps;
    for (std::size_t at = 1; at < all.size(); ++at) steps.push_back(all[at] - all[at - 1]);
    std::ranges::sort(steps);
    const auto repeated = std::ranges::unique(steps);
    promised(steps.size() - repeated.size() > 20, "no stride");
  }));
}
