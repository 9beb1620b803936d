// lock_limit_test.cc - with little or no right to lock memory, blocks are had all the same, and the receipts say what
// failed.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cerrno>
#include <vector>

#include "block.h"
#include "lock_limit.h"
#include "subject.h"
#include "support/child.h"
#include "support/lock_budgets.h"
#include "support/page_state.h"
#include "support/probe.h"

namespace {

constexpr std::size_t secret_size = 32;

char* promised_block() {
  errno = EXDEV;
  auto* block = static_cast<char*>(sodium_malloc(secret_size));
  promised(block != nullptr, "a block is had without its lock");
  if (subject_is_lockfast()) promised(errno == EXDEV, "errno is left alone");
  promised(!traps_on_write(block), "it can be written");
  if (blocks_are_isolated()) {
    promised(traps_on_read(block + secret_size) && traps_on_read(page_of(block) - 1), "it has both guard pages");
  }
  return block;
}

void promise_receipt(const char* block) {
  if (!subject_is_lockfast()) return;
  lockfast_receipt receipt{};
  promised(lockfast_describe(block, &receipt) == 0, "a block has a receipt");
  // Of a block that shares pages what is behind it in its slot counts, too, and may lie in the next page.
  constexpr std::size_t slot = 2 * secret_size + 2 * canary_size;
  const bool may_go_on = receipt.placement == LOCKFAST_GROUPED && page_of(block) != page_of(block + slot);
  const bool locked = state_of(block).locked;
  promised(receipt.lock_error == 0 ? locked : !locked || may_go_on, "the receipt says whether the block is locked");
  promised((receipt.backing == LOCKFAST_UNLOCKED) == (receipt.lock_error != 0), "the receipt's backing agrees");
  promised((receipt.backing == LOCKFAST_HIDDEN) == (receipt.hide_error == 0), "the receipt says why it is not hidden");
}

const scenario little_to_lock("a small lock limit", [] {
  constexpr std::size_t limit = 64 * 1024;
  lock_no_more_than(limit);
  start_subject();
  // Blocks that share pages need less of them.
  std::vector<char*> blocks(blocks_are_isolated() ? 100 : 3000);
  for (char*& each : blocks) each = promised_block();
  std::size_t locked = 0;
  for (const char* each : blocks) locked += state_of(each).locked ? 1U : 0U;
  promised(locked > 0, "some blocks are locked");
  promised(locked < blocks.size(), "the limit is felt");
  promised(bytes_locked() <= lock_budgets() * limit, "the limit is kept");
  for (const char* each : blocks) promise_receipt(each);
  if (subject_is_lockfast()) {
    struct lockfast_statistics statistics{};
    lockfast_get_statistics(&statistics);
    promised(statistics.live == blocks.size(), "the statistics count the blocks");
    std::size_t unlocked = 0;
    for (const char* each : blocks) {
      lockfast_receipt receipt{};
      unlocked += lockfast_describe(each, &receipt) != 0 || receipt.lock_error != 0 ? 1U : 0U;
    }
    promised(statistics.live_unlocked == unlocked, "the statistics count the unlocked ones");
  }
  for (char* each : blocks) sodium_free(each);
  for (char* each : blocks) promised(!freed_blocks_trap() || traps_on_read(each), "a freed block traps");
});

const scenario nothing_to_lock("no right to lock", [] {
  lock_no_more_than(0);
  start_subject();
  char* block = promised_block();
  promised(!state_of(block).locked, "the block is not locked");
  promise_receipt(block);
  char own[64] = {'a'};
  errno = 0;
  promised(sodium_mlock(own, sizeof own) == -1 && (errno == EPERM || errno == ENOMEM), "mlock is refused");
  promised(own[0] == 'a', "a refused mlock leaves the bytes");
  promised(sodium_munlock(own, sizeof own) == 0 && own[0] == 0, "munlock wipes");
  sodium_free(block);
});

const scenario too_much_to_lock("more than the lock limit", [] {
  constexpr std::size_t limit = 256 * 1024;
  lock_no_more_than(limit);
  start_subject();
  void* pages = mmap(nullptr, 2 * limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  prove(pages != MAP_FAILED, "pages");
  errno = 0;
  promised(sodium_mlock(pages, 2 * limit) == -1 && errno == ENOMEM, "a length over the limit is ENOMEM");
  promised(!state_of(pages).locked, "nothing of it is locked");
  if (subject_is_lockfast()) promised(!state_of(pages).undumpable, "nothing of it is undumpable");
  promised(sodium_mlock(pages, 4 * page_size()) == 0 && state_of(pages).locked, "what the limit allows is locked");
});

void check_kept(const scenario& which) {
  if (!locks_are_real()) return;
  const ending end = which.run();
  INFO(end.text);
  CHECK(end.clean());
}

}  // namespace

TEST_CASE("beyond a small lock limit blocks are whole, unlocked, and counted") { check_kept(little_to_lock); }

TEST_CASE("without any right to lock a block is whole, and mlock is refused") { check_kept(nothing_to_lock); }

TEST_CASE("mlock of more than the limit is refused with ENOMEM and locks nothing") { check_kept(too_much_to_lock); }
