// free_test.cc - what sodium_free takes, what it leaves behind, and what it dies of.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

#include "block.h"
#include "support/child.h"
#include "support/pages.h"
#include "support/probe.h"

namespace {

unsigned char static_bytes[256];

// For a child: a block that is there and can be written.
unsigned char* proven_block(std::size_t size) {
  auto* first = static_cast<unsigned char*>(sodium_malloc(size));
  prove(first != nullptr, "a block");
  for (std::size_t at = 0; at < size; ++at) first[at] = 'a';
  return first;
}

void check_breach(const ending& end) {
  INFO(end.text);
  CHECK(end.died());
  if (subject_is_lockfast()) CHECK(end.said("lockfast: "));
}

}  // namespace

TEST_CASE("free of a null pointer does nothing") {
  sodium_free(nullptr);
  CHECK(in_child([] { sodium_free(nullptr); }).clean());
}

TEST_CASE("a read-only block and a block without access can be freed") {
  if (!asked_of_placement("an access of its own")) return;
  for (std::size_t size : {0uz, 1uz, 32uz, 4096uz, 10000uz}) {
    void* closed = sodium_malloc(size);
    REQUIRE(closed != nullptr);
    CHECK(sodium_mprotect_noaccess(closed) == 0);
    sodium_free(closed);
    void* constant = sodium_malloc(size);
    REQUIRE(constant != nullptr);
    CHECK(sodium_mprotect_readonly(constant) == 0);
    sodium_free(constant);
  }
}

TEST_CASE("a block can be freed by another thread than the one that allocated it") {
  std::vector<void*> blocks(100);
  for (std::size_t at = 0; at < blocks.size(); ++at) REQUIRE((blocks[at] = sodium_malloc(at * 17)) != nullptr);
  std::thread([&] {
    for (void* each : blocks) sodium_free(each);
  }).join();
  if (freed_blocks_trap()) CHECK(std::ranges::all_of(blocks, traps_on_read));
}

TEST_CASE("a freed block traps, read or write") {
  (void)asked_of_placement("a trap where a freed block was");
  if (!freed_blocks_trap()) return;
  for (std::size_t size : {1uz, 32uz, 4096uz, 10000uz}) {
    CAPTURE(size);
    auto* gone = static_cast<unsigned char*>(sodium_malloc(size));
    REQUIRE_FALSE(traps_on_write(gone));
    sodium_free(gone);
    CHECK(traps_on_read(gone));
    CHECK(traps_on_write(gone + size - 1));
  }
}

TEST_CASE("use after free kills") {
  if (!freed_blocks_trap()) return;
  const ending end = in_child([] {
    volatile unsigned char* gone = proven_block(32);
    sodium_free(const_cast<unsigned char*>(gone));
    gone[0] = 1;
  });
  INFO(end.text);
  CHECK(end.trapped());
}

TEST_CASE("a freed block's bytes are wiped, even for who forces its page open") {
  const ending end = in_child([] {
    unsigned char* gone = proven_block(100);
    char* page = page_of(gone);
    sodium_free(gone);
    if (!set_access(page, page_size(), page_access::read) || traps_on_read(page)) return;
    for (std::size_t at = 0; at < page_size(); ++at) promised(page[at] != 'a', "no byte of the secret is left");
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("a second free dies") {
  for (std::size_t size : {0uz, 1uz, 32uz, 4096uz, 10000uz}) {
    CAPTURE(size);
    check_breach(in_child([=] {
      unsigned char* twice = proven_block(size);
      sodium_free(twice);
      sodium_free(twice);
    }));
  }
}

TEST_CASE("free of a pointer that sodium_malloc did not give dies") {
  SUBCASE("a low address") {
    check_breach(in_child([] { sodium_free(reinterpret_cast<void*>(16)); }));
  }
  SUBCASE("the heap") {
    check_breach(in_child([] {
      void* heap = std::malloc(64);
      prove(heap != nullptr, "a block of the heap");
      sodium_free(heap);
    }));
  }
  SUBCASE("the stack") {
    check_breach(in_child([] {
      unsigned char stack[64] = {};
      sodium_free(stack + 32);
    }));
  }
  SUBCASE("static memory") {
    check_breach(in_child([] { sodium_free(static_bytes + 128); }));
  }
  SUBCASE("a page of the system's") {
    check_breach(in_child([] {
      char* pages = map_pages(4 * page_size());
      prove(pages != nullptr, "pages");
      sodium_free(pages + 2 * page_size());
    }));
  }
}

TEST_CASE("free of a low address runs libsodium's misuse handler, where the program has one, and aborts") {
  if (sodium_set_misuse_handler == nullptr) return;
  const ending end = in_child([] {
    prove(sodium_set_misuse_handler([] { say("misuse\n"); }) == 0, "a handler");
    sodium_free(reinterpret_cast<void*>(16));
  });
  INFO(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.said("misuse"));
}

TEST_CASE("free of a pointer into a block, or next to one, dies") {
  for (int offset : {-16, -1, 1, 31, 32, 64}) {
    CAPTURE(offset);
    check_breach(in_child([=] { sodium_free(proven_block(64) + offset); }));
  }
}
