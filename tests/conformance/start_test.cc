// start_test.cc - what works before sodium_init, and what sodium_init returns afterwards.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "subject.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

const scenario bytes_before_init("bytes before init", [] {
  char text[64];
  std::memset(text, 'a', sizeof text);
  promised(sodium_mlock(text, sizeof text) == 0, "sodium_mlock returns 0");
  promised(sodium_memcmp(text, "aaaaaaaa", 8) == 0, "sodium_memcmp finds equal bytes");
  sodium_memzero(text, 8);
  promised(text[7] == 0 && text[8] == 'a', "sodium_memzero wipes its length");
  promised(sodium_munlock(text, sizeof text) == 0 && text[63] == 0, "sodium_munlock returns 0 and wipes");
});

const scenario blocks_before_init("blocks before init", [] {
  auto* block = static_cast<char*>(sodium_malloc(32));
  promised(block != nullptr, "sodium_malloc serves");
  std::memset(block, 'a', 32);
  if (blocks_are_isolated()) {
    promised(traps_on_read(block + 32), "the block has its guard page");
    promised(sodium_mprotect_readonly(block) == 0 && block[31] == 'a', "its access can be changed");
    promised(traps_on_write(block), "its access is changed");
  }
  sodium_free(block);
  promised(!freed_blocks_trap() || traps_on_read(block), "a freed block traps");
});

const scenario init_after_malloc("init after malloc", [] {
  if (sodium_init == nullptr) skip("a drop-in without sodium_init");
  if (subject_is_lockfast()) sodium_free(sodium_malloc(32));
  promised(sodium_init() == 0, "sodium_init returns 0 the first time");
  promised(sodium_init() == 1, "sodium_init returns 1 the second time");
  auto* block = static_cast<char*>(sodium_malloc(32));
  promised(block != nullptr, "sodium_malloc serves after it");
  promised(!blocks_are_isolated() || traps_on_read(block + 32), "the block has its guard page");
});

}  // namespace

TEST_CASE("the subject is the library that this test is named for") {
  const char* expected = std::getenv("CONFORMANCE_SUBJECT");
  if (expected == nullptr) return;
  CHECK(subject_is_lockfast() == (std::string(expected) == "lockfast"));
}

TEST_CASE("mlock, munlock, memzero and memcmp work before sodium_init") {
  const ending end = bytes_before_init.run();
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("malloc, protect and free work before sodium_init") {
  if (!kept(promise::malloc_before_init)) return;
  const ending end = blocks_before_init.run();
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("sodium_init returns 0 and then 1, whatever was called before it") {
  const ending end = init_after_malloc.run();
  INFO(end.text);
  if (end.skipped()) MESSAGE(end.text);
  CHECK((end.clean() || end.skipped()));
}
