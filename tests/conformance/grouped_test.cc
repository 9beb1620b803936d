// grouped_test.cc - what blocks under Lockfast's placement=grouped are, beside what they share with those of their own pages.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "block.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

bool grouped() {
  if (blocks_are_isolated()) MESSAGE("not asked: only placement=grouped groups blocks");
  return !blocks_are_isolated();
}

bool grouped_and_closed() {
  if (!grouped()) return false;
  if (!locks_outlive_closing()) MESSAGE("not asked: what is grouped is not closed here");
  return locks_outlive_closing();
}

unsigned char* proven_block(std::size_t size) {
  auto* const first = static_cast<unsigned char*>(sodium_malloc(size));
  prove(first != nullptr, "a block");
  std::memset(first, 'a', size);
  return first;
}

}  // namespace

TEST_CASE("a block of up to 16 KiB is grouped by its receipt, locked, and out of core dumps; a larger one is isolated") {
  if (!grouped()) return;
  for (const std::size_t size : {0uz, 1uz, 32uz, 4096uz, 16384uz, 16385uz, 100000uz}) {
    CAPTURE(size);
    const block secret(size);
    lockfast_receipt receipt = {};
    REQUIRE(lockfast_describe(secret.data(), &receipt) == 0);
    CHECK(receipt.size == size);
    CHECK(receipt.placement == (size <= max_grouped ? LOCKFAST_GROUPED : LOCKFAST_ISOLATED));
    CHECK(receipt.dump_error == dump_error_here());
    if (!locks_are_real()) continue;
    CHECK((receipt.backing == LOCKFAST_LOCKED || receipt.backing == LOCKFAST_HIDDEN));
    CHECK(state_of(secret.data()).locked);
    CHECK(state_of(secret.data()).undumpable == advice_is_followed());
  }
}

TEST_CASE("a grouped block of any size lies at a multiple of the largest power of two that divides the size, up to 64") {
  if (!grouped()) return;
  constexpr std::size_t max_alignment = 64;
  std::size_t wrong = 0;
  for (std::size_t size = 1; size <= max_grouped; ++size) {
    const std::size_t alignment = std::min(size & (0 - size), max_alignment);
    // Neighbours of one slab, whose places differ.
    const block secrets[] = {block(size), block(size), block(size)};
    for (const block& each : secrets) wrong += reinterpret_cast<std::uintptr_t>(each.data()) % alignment != 0;
  }
  CHECK(wrong == 0);
}

#if defined(__x86_64__)
namespace {

// As long and as aligned as libsodium's crypto_generichash_state.
struct alignas(64) wide_state {
  typedef unsigned char lane __attribute__((vector_size(32)));
  lane lanes[12];
};
static_assert(sizeof(wide_state) == 384);

// Asks the processor, since not every compiler's library knows what __builtin_cpu_supports needs; and the system, which is to keep the
// wide registers of a thread.
bool has_avx() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned wanted = bit_AVX | bit_OSXSAVE;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & wanted) != wanted) return false;
  constexpr unsigned kept = 6;  // XMM and YMM
  __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (eax & kept) == kept;
}

// The compiler takes the aligned instructions of wide vectors here.
[[gnu::target("avx"), gnu::noinline]] void fill_wide(wide_state* state) {
  for (volatile wide_state::lane& each : state->lanes) each = wide_state::lane{} + 'a';
}

}  // namespace

TEST_CASE("a state of a hash that wants an alignment of 64 is used where it was allocated by its size, with wide vectors") {
  if (!grouped()) return;
  if (!has_avx()) {
    MESSAGE("skipped: the processor has no AVX");
    return;
  }
  for (int round = 0; round < 64; ++round) {
    const block state(sizeof(wide_state));
    fill_wide(reinterpret_cast<wide_state*>(state.data()));
    CHECK(state.filled_with('a'));
  }
}
#endif

namespace {

// What is asked for a block, and whether it is in force.
int access_error_of(const block& secret, lockfast_access asked) {
  lockfast_receipt receipt = {};
  REQUIRE(lockfast_describe(secret.data(), &receipt) == 0);
  CHECK(receipt.access == asked);
  return receipt.access_error;
}

}  // namespace

TEST_CASE("a daemon closes its grouped key, opens it to read and to write, and frees it closed: each is in force") {
  if (!grouped_and_closed()) return;
  for (const std::size_t size : {1uz, 32uz, 40uz, 4096uz, 16384uz}) {
    CAPTURE(size);
    const block key(size);
    key.fill('a');
    for (int round = 0; round < 3; ++round) {
      REQUIRE(sodium_mprotect_noaccess(key.data()) == 0);
      CHECK(access_error_of(key, LOCKFAST_NOACCESS) == 0);
      CHECK(traps_on_read(key.data()));
      CHECK(traps_on_read(key.end() - 1));
      REQUIRE(sodium_mprotect_readonly(key.data()) == 0);
      CHECK(access_error_of(key, LOCKFAST_READONLY) == 0);
      CHECK(key.filled_with('a'));
      CHECK(traps_on_write(key.data()));
      REQUIRE(sodium_mprotect_readwrite(key.data()) == 0);
      CHECK(access_error_of(key, LOCKFAST_READWRITE) == 0);
      key.fill('a');
    }
    CHECK(sodium_mprotect_noaccess(key.data()) == 0);
  }
}

TEST_CASE("where closing would take the lock off a grouped block stays open, and its receipt says so") {
  if (!grouped()) return;
  if (locks_outlive_closing()) {
    MESSAGE("not asked: locks outlive closing here");
    return;
  }
  const block secret(48);
  secret.fill('a');
  CHECK(sodium_mprotect_noaccess(secret.data()) == 0);
  CHECK(access_error_of(secret, LOCKFAST_NOACCESS) == EBUSY);
  CHECK_FALSE(traps_on_read(secret.data()));
  CHECK(state_of(secret.data()).locked);
  CHECK(sodium_mprotect_readwrite(secret.data()) == 0);
  CHECK(access_error_of(secret, LOCKFAST_READWRITE) == 0);
  CHECK(secret.filled_with('a'));
}

TEST_CASE("a closed grouped block stays readable beside an open one, its receipt says so, and it is closed when that is") {
  if (!grouped_and_closed()) return;
  const block first(48);
  const block second(48);
  REQUIRE(page_of(first.data()) == page_of(second.data()));
  first.fill('a');
  CHECK(sodium_mprotect_noaccess(first.data()) == 0);
  CHECK(access_error_of(first, LOCKFAST_NOACCESS) == EBUSY);
  CHECK_FALSE(traps_on_read(first.data()));
  CHECK(access_error_of(second, LOCKFAST_READWRITE) == 0);
  second.fill('b');
  CHECK(sodium_mprotect_readonly(second.data()) == 0);
  CHECK(access_error_of(second, LOCKFAST_READONLY) == 0);
  CHECK(access_error_of(first, LOCKFAST_NOACCESS) == EBUSY);
  CHECK(traps_on_write(first.data()));
  CHECK(sodium_mprotect_noaccess(second.data()) == 0);
  CHECK(access_error_of(first, LOCKFAST_NOACCESS) == 0);
  CHECK(traps_on_read(first.data()));
  CHECK(sodium_mprotect_readwrite(first.data()) == 0);
  CHECK(access_error_of(second, LOCKFAST_NOACCESS) == EBUSY);
  CHECK(first.filled_with('a'));
}

TEST_CASE("grouped blocks that rest closed share pages all the same, are whole, and are used and freed by four threads") {
  if (!grouped() || !locks_are_real()) return;
  const ending end = in_child([] {
    struct lockfast_statistics before{};
    lockfast_get_statistics(&before);
    std::vector<unsigned char*> blocks(4000);
    const auto in_threads = [&](auto act) {
      std::vector<std::thread> threads;
      for (std::size_t which = 0; which < 4; ++which) {
        threads.emplace_back([&, which] {
          for (std::size_t at = which; at < blocks.size(); at += 4) act(blocks[at], static_cast<int>(at % 251));
        });
      }
      for (std::thread& each : threads) each.join();
    };
    in_threads([](unsigned char*& each, int value) {
      each = proven_block(32);
      std::memset(each, value, 32);
      promised(sodium_mprotect_noaccess(each) == 0, "closed");
    });
    struct lockfast_statistics now{};
    lockfast_get_statistics(&now);
    promised(now.bytes_locked - before.bytes_locked < std::size_t{4000} * 256, "fewer than 256 locked bytes each");
    promised(lockfast_audit() == 0, "whole");
    in_threads([](unsigned char*& each, int value) {
      promised(sodium_mprotect_readonly(each) == 0, "opened");
      promised(each[0] == value && each[31] == value, "what was written");
      promised(sodium_mprotect_noaccess(each) == 0, "closed again");
    });
    in_threads([](unsigned char*& each, int) { sodium_free(each); });
    lockfast_get_statistics(&now);
    promised(now.live_grouped == before.live_grouped, "all freed");
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("a closed grouped block is closed after it was given another size, and after everything was wiped") {
  if (!grouped_and_closed()) return;
  const ending end = in_child([] {
    for (const std::size_t size : {50uz, 60uz, 5000uz, 20000uz}) {
      auto* first = proven_block(50);
      promised(sodium_mprotect_noaccess(first) == 0, "closed");
      first = static_cast<unsigned char*>(lockfast_realloc(first, size));
      promised(first != nullptr && traps_on_read(first), "closed with another size");
      promised(sodium_mprotect_readonly(first) == 0 && first[0] == 'a' && first[49] == 'a', "what it held");
      promised(sodium_mprotect_noaccess(first) == 0, "closed again");
      lockfast_wipe_all();
      promised(traps_on_read(first), "closed when everything was wiped");
      promised(sodium_mprotect_readwrite(first) == 0 && first[0] == 0 && first[49] == 0, "wiped");
      sodium_free(first);
    }
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("bytes beside a closed grouped block that were changed are found by a check, and when its access changes") {
  if (!grouped()) return;
  const ending end = in_child([] {
    unsigned char* const first = proven_block(33);
    promised(sodium_mprotect_noaccess(first) == 0, "closed");
    promised(lockfast_check(first) == 0, "whole while it is closed");
    promised(sodium_mprotect_readwrite(first) == 0, "opened");
    first[33] = static_cast<unsigned char>(first[33] ^ 1);
    promised(lockfast_check(first) == -1 && errno == EFAULT, "damaged");
    (void)sodium_mprotect_noaccess(first);
  });
  INFO(end.text);
  CHECK(end.signal == SIGSEGV);
  CHECK(end.text == "lockfast: broken canary: bytes beside a secret were changed\n");
}

TEST_CASE("the access of a grouped block is refused to lockfast_protect, and that of a larger one changes") {
  if (!grouped()) return;
  const block secret(40);
  errno = 0;
  CHECK(lockfast_protect(secret.data(), LOCKFAST_NOACCESS) == -1);
  CHECK(errno == ENOTSUP);
  CHECK_FALSE(traps_on_write(secret.data()));
  const block large(20000);
  CHECK(sodium_mprotect_noaccess(large.data()) == 0);
  CHECK(traps_on_read(large.data()));
  CHECK(sodium_mprotect_readwrite(large.data()) == 0);
}

TEST_CASE("a byte behind a grouped block, which does not trap, is a canary: a change of it raises SIGSEGV at free") {
  if (!grouped()) return;
  for (const std::size_t size : {0uz, 1uz, 15uz, 16uz, 32uz, 4096uz, 16384uz}) {
    CAPTURE(size);
    const ending end = in_child([=] {
      unsigned char* const first = proven_block(size);
      first[size] = static_cast<unsigned char>(first[size] ^ 1);
      sodium_free(first);
    });
    INFO(end.text);
    CHECK(end.signal == SIGSEGV);
    CHECK(end.text == "lockfast: broken canary: bytes beside a secret were changed\n");
  }
}

TEST_CASE("ten thousand grouped blocks take fewer pages than blocks, and few maps") {
  if (!grouped() || !locks_are_real()) return;
  const ending end = in_child([] {
    struct lockfast_statistics before{};
    lockfast_get_statistics(&before);
    std::vector<unsigned char*> blocks(10000);
    for (auto& each : blocks) each = proven_block(32);
    struct lockfast_statistics now{};
    lockfast_get_statistics(&now);
    promised(now.live_grouped - before.live_grouped == 10000, "grouped");
    promised(now.bytes_locked - before.bytes_locked < std::size_t{10000} * 128, "fewer than 128 locked bytes each");
    promised(now.maps_used - before.maps_used < 1000, "few maps");
    for (unsigned char* each : blocks) sodium_free(each);
  });
  INFO(end.text);
  CHECK(end.clean());
}

TEST_CASE("a freed grouped block is wiped when free returns, and is not the next one that is handed out") {
  if (!grouped()) return;
  const block neighbour(48);
  for (int round = 0; round < 200; ++round) {
    unsigned char* const gone = proven_block(48);
    sodium_free(gone);
    for (int at = 0; at < 48 && !traps_on_read(gone); ++at) REQUIRE(gone[at] == 0);
    const block next(48);
    CHECK(next.data() != gone);
  }
}
