// canary_test.cc - the sixteen bytes in front of a block: whatever changes them is found when the block is freed.
#include <doctest/doctest.h>

#include <csignal>

#include "block.h"
#include "support/child.h"
#include "support/pages.h"

namespace {

constexpr int bits_per_byte = 8;

void say_handled(int) { say("handled\n"); }

// For a child: a block whose every byte is written, so that what follows is the canary's doing.
unsigned char* proven_block(std::size_t size) {
  auto* first = static_cast<unsigned char*>(sodium_malloc(size));
  prove(first != nullptr, "a block");
  for (std::size_t at = 0; at < size; ++at) first[at] = 'a';
  return first;
}

void flip(unsigned char* byte, int bit) { *byte = static_cast<unsigned char>(*byte ^ (1U << bit)); }

void check_canary_breach(const ending& end) {
  INFO(end.text);
  CHECK(end.signal == SIGSEGV);
  if (subject_is_lockfast()) CHECK(end.said("lockfast: "));
}

}  // namespace

TEST_CASE("a block whose own bytes alone are written is freed without a word") {
  for (std::size_t size : {0uz, 1uz, 16uz, 33uz, 4096uz, 10000uz}) {
    const ending end = in_child([=] { sodium_free(proven_block(size)); });
    INFO(end.text);
    CHECK(end.clean());
    CHECK(end.text.empty());
  }
}

TEST_CASE("any changed bit of the sixteen bytes in front of a block raises SIGSEGV when it is freed") {
  const std::size_t reach = asked_of_placement("sixteen bytes of canary, but one") ? canary_size : 1;
  for (std::size_t back = 1; back <= reach; ++back) {
    for (int bit = 0; bit < bits_per_byte; ++bit) {
      CAPTURE(back);
      CAPTURE(bit);
      check_canary_breach(in_child([=] {
        unsigned char* first = proven_block(40);
        flip(first - back, bit);
        sodium_free(first);
      }));
    }
  }
}

TEST_CASE("a changed byte in front of a block of any size raises SIGSEGV when it is freed") {
  for (std::size_t size : {0uz, 1uz, 15uz, 16uz, 4080uz, 4081uz, 4096uz, 4097uz, 10000uz}) {
    CAPTURE(size);
    check_canary_breach(in_child([=] {
      unsigned char* first = proven_block(size);
      flip(first - 1, 0);
      sodium_free(first);
    }));
  }
}

TEST_CASE("a changed byte in front of a block that is closed by now raises SIGSEGV when it is freed") {
  if (!asked_of_placement("an access of its own")) return;
  for (auto close : {sodium_mprotect_readonly, sodium_mprotect_noaccess}) {
    if (close == sodium_mprotect_noaccess && !locks_outlive_closing()) {
      MESSAGE("not asked: a block without access has no page here");
      continue;
    }
    for (std::size_t back = 1; back <= canary_size; ++back) {
      CAPTURE(back);
      check_canary_breach(in_child([=] {
        unsigned char* first = proven_block(40);
        prove(close(first) == 0, "a closed block");
        // Opened behind the subject's back, since Lockfast finds the breach at a change of access already.
        char* page = page_of(first);
        prove(set_access(page, page_size(), page_access::read_write), "an open page");
        flip(first - back, 3);
        const page_access rest = close == sodium_mprotect_readonly ? page_access::read : page_access::none;
        prove(set_access(page, page_size(), rest), "a page at rest again");
        sodium_free(first);
      }));
    }
  }
}

TEST_CASE("a broken canary aborts when a handler returns from SIGSEGV") {
  const ending end = in_child([] {
    unsigned char* first = proven_block(40);
    signal(SIGSEGV, say_handled);
    flip(first - 1, 0);
    sodium_free(first);
  });
  INFO(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.said("handled"));
}

TEST_CASE("a broken canary aborts when SIGSEGV is ignored") {
  const ending end = in_child([] {
    unsigned char* first = proven_block(40);
    signal(SIGSEGV, SIG_IGN);
    flip(first - (blocks_are_isolated() ? canary_size : 1), 7);
    sodium_free(first);
  });
  INFO(end.text);
  CHECK(end.signal == SIGABRT);
}

TEST_CASE("a broken canary of one block says nothing of its neighbours") {
  const ending end = in_child([] {
    unsigned char* blocks[8];
    for (auto& each : blocks) each = proven_block(40);
    flip(blocks[3] - 1, 0);
    for (int at : {0, 1, 2, 4, 5, 6, 7}) sodium_free(blocks[at]);
    say("neighbours freed\n");
    sodium_free(blocks[3]);
  });
  CHECK(end.said("neighbours freed"));
  check_canary_breach(end);
}
