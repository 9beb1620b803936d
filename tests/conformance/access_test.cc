// access_test.cc - sodium_mprotect_*: the access of one block, to the byte, and of no other.
#include <doctest/doctest.h>

#include <vector>

#include "block.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

enum class access_level { none, read_only, read_write };

int protect(const block& which, access_level wanted) {
  switch (wanted) {
    case access_level::none: return sodium_mprotect_noaccess(which.data());
    case access_level::read_only: return sodium_mprotect_readonly(which.data());
    case access_level::read_write: return sodium_mprotect_readwrite(which.data());
  }
  return -1;
}

bool byte_has(unsigned char* byte, access_level wanted) {
  return traps_on_read(byte) == (wanted == access_level::none) && traps_on_write(byte) == (wanted != access_level::read_write);
}

// Whether every page of a block, from its first byte to its last, has exactly this access.
bool has(const block& which, access_level wanted) {
  for (unsigned char* byte = which.data(); byte < which.end(); byte += page_size()) {
    if (!byte_has(byte, wanted)) return false;
  }
  return which.size() == 0 || byte_has(which.end() - 1, wanted);
}

void check_guards(const block& which) {
  CHECK(byte_has(which.end(), access_level::none));
  CHECK(byte_has(which.first_page() - 1, access_level::none));
}

constexpr access_level all[] = {access_level::none, access_level::read_only, access_level::read_write};

}  // namespace

TEST_CASE("access changes from any to any, twice too, and keeps the bytes and the guard pages") {
  if (!asked_of_placement("an access of its own")) return;
  for (std::size_t size : {1uz, 32uz, 4080uz, 4096uz, 12288uz, 40000uz}) {
    CAPTURE(size);
    const block secret(size);
    secret.fill(0x3c);
    for (access_level from : all) {
      for (access_level to : all) {
        for (access_level each : {from, to, to}) {
          REQUIRE(protect(secret, each) == 0);
          REQUIRE(has(secret, each));
          check_guards(secret);
        }
      }
    }
    REQUIRE(protect(secret, access_level::read_only) == 0);
    CHECK(secret.filled_with(0x3c));
  }
}

TEST_CASE("access of a block of size 0 can be changed, and its first byte traps throughout") {
  if (!asked_of_placement("an access of its own")) return;
  const block empty(0);
  for (access_level each : {access_level::none, access_level::read_only, access_level::read_write, access_level::none}) {
    CHECK(protect(empty, each) == 0);
    CHECK(byte_has(empty.data(), access_level::none));
  }
}

TEST_CASE("a changed access is that block's alone") {
  if (!asked_of_placement("an access of its own")) return;
  std::vector<block> blocks;
  for (std::size_t count = 0; count < 90; ++count) blocks.emplace_back(1 + count * 7).fill(static_cast<unsigned char>(count));
  for (std::size_t at = 0; at < blocks.size(); ++at) REQUIRE(protect(blocks[at], all[at % 3]) == 0);
  for (std::size_t at = 0; at < blocks.size(); ++at) {
    CAPTURE(at);
    CHECK(has(blocks[at], all[at % 3]));
    check_guards(blocks[at]);
  }
  for (std::size_t at = 0; at < blocks.size(); at += 3) {
    REQUIRE(protect(blocks[at], access_level::read_only) == 0);
    CHECK(blocks[at].filled_with(static_cast<unsigned char>(at)));
    CHECK(has(blocks[at + 1], all[1]));
    CHECK(has(blocks[at + 2], all[2]));
  }
}

TEST_CASE("freeing a block leaves the access of its neighbours") {
  if (!asked_of_placement("an access of its own")) return;
  std::vector<void*> freed;
  std::vector<block> kept_blocks;
  for (std::size_t count = 0; count < 60; ++count) {
    freed.push_back(sodium_malloc(32));
    REQUIRE(protect(kept_blocks.emplace_back(32), all[count % 3]) == 0);
  }
  for (void* each : freed) sodium_free(each);
  for (std::size_t at = 0; at < kept_blocks.size(); ++at) CHECK(has(kept_blocks[at], all[at % 3]));
}

TEST_CASE("a new block is read-write, whatever the access of the one whose place it takes") {
  if (!asked_of_placement("an access of its own")) return;
  for (access_level last : all) {
    for (int round = 0; round < 50; ++round) {
      const block fresh(64);
      REQUIRE(has(fresh, access_level::read_write));
      REQUIRE(protect(fresh, last) == 0);
    }
  }
}

TEST_CASE("touching a closed block kills") {
  if (!asked_of_placement("an access of its own")) return;
  const auto touch_after = [](int (*close)(void*), bool write) {
    return in_child([=] {
      auto* secret = static_cast<volatile unsigned char*>(sodium_malloc(32));
      prove(secret != nullptr && secret[31] == fresh_byte, "a block");
      secret[0] = 1;
      prove(close(const_cast<unsigned char*>(secret)) == 0, "a closed block");
      if (write) {
        secret[0] = 2;
      } else {
        static_cast<void>(secret[0]);
      }
    });
  };
  CHECK(touch_after(sodium_mprotect_noaccess, false).trapped());
  CHECK(touch_after(sodium_mprotect_noaccess, true).trapped());
  CHECK(touch_after(sodium_mprotect_readonly, false).clean());
  CHECK(touch_after(sodium_mprotect_readonly, true).trapped());
  CHECK(touch_after(sodium_mprotect_readwrite, true).clean());
}

TEST_CASE("a change of access of a null pointer or of a pointer that is no block's dies or is refused") {
  for (auto change : {sodium_mprotect_noaccess, sodium_mprotect_readonly, sodium_mprotect_readwrite}) {
    const ending end = in_child([=] { promised(change(nullptr) != 0, "refused"); });
    INFO(end.text);
    CHECK((end.died() || end.clean()));
  }
}
