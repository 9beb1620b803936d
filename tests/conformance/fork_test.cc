// fork_test.cc - a forked child's blocks: read, protected and freed by the child, without the parent noticing.
#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "block.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

constexpr const char* phrase = "correct horse battery staple";

block phrase_block() {
  block secret(std::strlen(phrase));
  std::memcpy(secret.data(), phrase, secret.size());
  return secret;
}

bool holds_phrase(const unsigned char* secret) { return std::memcmp(secret, phrase, std::strlen(phrase)) == 0; }

}  // namespace

TEST_CASE("a child reads, overwrites and frees its copy, and the parent's stays") {
  const block secret = phrase_block();
  const ending end = in_child([&] {
    promised(holds_phrase(secret.data()), "the child reads the secret");
    std::memset(secret.data(), 'x', secret.size());
    sodium_free(secret.data());
    const block fresh = phrase_block();
    promised(holds_phrase(fresh.data()), "the child has blocks of its own");
  });
  INFO(end.text);
  CHECK(end.clean());
  CHECK(holds_phrase(secret.data()));
}

TEST_CASE("a child's grouped blocks have the access that the parent's have, and are opened and freed by the child") {
  if (blocks_are_isolated()) return;
  const block open = phrase_block();
  const block closed(4000);
  closed.fill('a');
  REQUIRE(sodium_mprotect_noaccess(closed.data()) == 0);
  REQUIRE(traps_on_read(closed.data()));
  const ending end = in_child([&] {
    promised(holds_phrase(open.data()), "the child reads what was open");
    lockfast_receipt receipt = {};
    promised(lockfast_describe(closed.data(), &receipt) == 0 && receipt.access == LOCKFAST_NOACCESS, "closed by its receipt");
    promised(receipt.access_error == 0 && traps_on_read(closed.data()), "closed");
    promised(sodium_mprotect_readwrite(closed.data()) == 0 && closed.filled_with('a'), "the child opens it");
    sodium_free(closed.data());
    const block fresh(4000);
    fresh.fill('b');
  });
  INFO(end.text);
  CHECK(end.clean());
  CHECK(traps_on_read(closed.data()));
  CHECK(sodium_mprotect_readonly(closed.data()) == 0);
  CHECK(closed.filled_with('a'));
}

TEST_CASE("a child reads, protects, overwrites and frees its copy, and the parent's stays") {
  if (!asked_of_placement("an access of its own")) return;
  const block secret = phrase_block();
  const block closed = phrase_block();
  REQUIRE(sodium_mprotect_noaccess(closed.data()) == 0);
  const ending end = in_child([&] {
    promised(holds_phrase(secret.data()), "the child reads the secret");
    promised(traps_on_read(secret.end()) && traps_on_read(secret.first_page() - 1), "its copy has guard pages");
    promised(sodium_mprotect_readonly(secret.data()) == 0 && traps_on_write(secret.data()), "the child closes it");
    promised(sodium_mprotect_readwrite(secret.data()) == 0, "the child opens it");
    std::memset(secret.data(), 'x', secret.size());
    sodium_free(secret.data());
    promised(!freed_blocks_trap() || traps_on_read(secret.data()), "what the child freed traps in the child");
    promised(traps_on_read(closed.data()), "a block without access is without access in the child");
    promised(sodium_mprotect_readonly(closed.data()) == 0 && holds_phrase(closed.data()), "the child opens it to read");
    sodium_free(closed.data());
  });
  INFO(end.text);
  CHECK(end.clean());
  CHECK(holds_phrase(secret.data()));
  CHECK(traps_on_read(secret.end()));
  CHECK_FALSE(traps_on_write(secret.data()));
  CHECK(traps_on_read(closed.data()));
  REQUIRE(sodium_mprotect_readonly(closed.data()) == 0);
  CHECK(holds_phrase(closed.data()));
}

TEST_CASE("the parent's block stays locked after the child has come and gone") {
  if (!locks_are_real()) return;
  const block secret = phrase_block();
  const ending end = in_child([&] { sodium_free(secret.data()); });
  INFO(end.text);
  CHECK(end.clean());
  CHECK(state_of(secret.data()).locked);
  CHECK(state_of(secret.data()).undumpable == advice_is_followed());
}

TEST_CASE("a child's copy is out of core dumps, and locked again") {
  if (!locks_are_real()) return;
  const bool asked = kept(promise::locked_again_after_fork);
  const block secret = phrase_block();
  const block closed(20000);
  REQUIRE(sodium_mprotect_noaccess(closed.data()) == 0);
  const ending end = in_child([&] {
    promised(state_of(secret.data()).undumpable == advice_is_followed(), "the copy is undumpable");
    promised(state_of(closed.data()).undumpable == advice_is_followed(), "the copy of a closed block is undumpable");
    if (!asked) return;
    promised(state_of(secret.data()).locked, "the copy is locked");
    // A closed block may be sealed, and then it has no pages to lock until it is opened.
    promised(sodium_mprotect_readonly(closed.data()) == 0, "the copy of a closed block opens");
    promised(state_of(closed.data()).locked, "and is locked");
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("a child of a child has its copy too") {
  const block secret = phrase_block();
  const ending end = in_child([&] {
    const ending inner = in_child([&] {
      promised(holds_phrase(secret.data()), "the grandchild reads the secret");
      sodium_free(secret.data());
    });
    promised(inner.clean(), inner.text.c_str());
    promised(holds_phrase(secret.data()), "the child keeps its own copy");
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("a broken canary is found in the child as in the parent") {
  const block secret = phrase_block();
  const ending end = in_child([&] {
    secret.data()[-1] = static_cast<unsigned char>(~secret.data()[-1]);
    sodium_free(secret.data());
  });
  INFO(end.text);
  CHECK(end.trapped());
  CHECK(holds_phrase(secret.data()));
}

TEST_CASE("a child of a process that freed blocks of any size allocates and frees them too") {
  constexpr std::size_t sizes[] = {0, 64, 5000, 100000, 3000000};
  for (std::size_t size : sizes) sodium_free(sodium_malloc(size));
  const ending end = in_child([&] {
    for (std::size_t size : sizes) {
      void* secret = sodium_malloc(size);
      promised(secret != nullptr, "the child allocates");
      std::memset(secret, 'a', size);
      sodium_free(secret);
    }
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("threads that allocate at the moment of fork do the child no harm") {
  static constexpr std::size_t sizes[] = {64, 5000, 100000};
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int count = 0; count < 3; ++count) {
    threads.emplace_back([&done] {
      char own[64] = {};
      for (std::size_t round = 0; !done; ++round) {
        sodium_free(sodium_malloc(sizes[round % std::size(sizes)]));
        static_cast<void>(sodium_mlock(own, sizeof own));
        static_cast<void>(sodium_munlock(own, sizeof own));
      }
    });
  }
  for (int round = 0; round < 25; ++round) {
    const ending end = in_child([] {
      char own[64] = {};
      for (int count = 0; count < 20; ++count) {
        void* secret = sodium_malloc(64);
        promised(secret != nullptr, "the child allocates");
        std::memset(secret, 'a', 64);
        promised(sodium_mlock(own, sizeof own) == 0 && sodium_munlock(own, sizeof own) == 0, "the child locks");
        sodium_free(secret);
      }
    });
    INFO(end.text);
    CHECK(end.clean());
    if (!end.clean()) break;
  }
  done = true;
  for (std::thread& each : threads) each.join();
}
