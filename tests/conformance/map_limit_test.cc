// map_limit_test.cc - at the kernel's limit of maps (vm.max_map_count) a block is whole or refused.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "lock_limit.h"
#include "subject.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/probe.h"

namespace {

constexpr std::size_t max_maps = 1 << 20;  // beyond which the limit takes too long to reach
constexpr std::size_t secret_size = 32;

std::size_t map_limit() {
  std::size_t limit = 0;
  std::FILE* file = std::fopen("/proc/sys/vm/max_map_count", "re");
  prove(file != nullptr && std::fscanf(file, "%zu", &limit) == 1, "vm.max_map_count");
  std::fclose(file);
  return limit;
}

// Takes maps until there are none, two at a time, by giving every other page of one mapping another access.
class map_hoard {
 public:
  map_hoard() {
    const std::size_t limit = map_limit();
    if (limit > max_maps) skip("vm.max_map_count is too high to be reached");
    void* mapped = mmap(nullptr, 2 * limit * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    prove(mapped != MAP_FAILED, "address space");
    first_ = static_cast<char*>(mapped);
  }

  void take_all() {
    while (mprotect(pair(pairs_), page_size(), PROT_READ) == 0) ++pairs_;
    while (mmap(nullptr, page_size(), PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
    }
    prove(errno == ENOMEM && pairs_ > 1000, "no map left");
  }

  void give_back_pair() { prove(mprotect(pair(--pairs_), page_size(), PROT_NONE) == 0, "a pair of maps given back"); }

 private:
  char* pair(std::size_t index) const { return first_ + (2 * index + 1) * page_size(); }

  char* first_ = nullptr;
  std::size_t pairs_ = 0;
};

std::array<char*, 70000> blocks;
std::size_t block_count = 0;

void promise_whole(char* block) {
  promised(!traps_on_write(block) && !traps_on_write(block + secret_size - 1), "the block can be written");
  if (!blocks_are_isolated()) return;
  promised(traps_on_read(block + secret_size) && traps_on_write(block + secret_size), "the page behind the block traps");
  promised(traps_on_read(page_of(block) - 1) && traps_on_write(page_of(block) - 1), "the page in front of the block traps");
}

// Allocates until a refusal, up to count blocks; each is whole.
void allocate_whole(std::size_t count) {
  for (; count > 0 && block_count < blocks.size(); --count) {
    errno = 0;
    auto* block = static_cast<char*>(sodium_malloc(secret_size));
    if (block == nullptr) {
      promised(errno == ENOMEM, "a refusal is ENOMEM");
      return;
    }
    promise_whole(block);
    blocks[block_count++] = block;
  }
}

void free_all() {
  while (block_count > 0) sodium_free(blocks[--block_count]);
}

const scenario whole_at_limit("whole at the map limit", [] {
  start_subject();
  map_hoard hoard;
  hoard.take_all();
  allocate_whole(1000);
  for (int step = 0; step < 40; ++step) {
    hoard.give_back_pair();
    allocate_whole(50);
  }
  free_all();
  for (int step = 0; step < 200; ++step) hoard.give_back_pair();
  allocate_whole(1);
  promised(block_count == 1, "a block is had again once there are maps");
  free_all();
});

const scenario cycles_at_limit("cycles at the map limit", [] {
  start_subject();
  map_hoard hoard;
  hoard.take_all();
  for (int step = 0; step < 8; ++step) {
    for (int round = 0; round < 100; ++round) {
      allocate_whole(1);
      free_all();
    }
    hoard.give_back_pair();
  }
});

void change_access_at_limit() {
  start_subject();
  allocate_whole(64);
  prove(block_count == 64, "blocks");
  std::array<char*, 64> changed;
  std::copy_n(blocks.begin(), changed.size(), changed.begin());
  map_hoard hoard;
  hoard.take_all();
  // From here on the ordinary heap may be refused what it asks for.
  for (char* block : changed) {
    errno = 0;
    const bool closed = sodium_mprotect_noaccess(block) == 0;
    promised(closed || errno == ENOMEM, "a refused change of access is ENOMEM");
    promised(traps_on_read(block) == closed, "access is as the result says");
    promised(traps_on_read(block + secret_size), "the guard page stays");
  }
}

void free_blocks_at_limit() {
  start_subject();
  allocate_whole(64);
  prove(block_count == 64, "blocks");
  if (blocks_are_isolated()) {
    for (std::size_t at = 0; at < block_count; at += 2) prove(sodium_mprotect_noaccess(blocks[at]) == 0, "a closed block");
  }
  map_hoard hoard;
  hoard.take_all();
  std::array<char*, 64> freed;
  std::copy_n(blocks.begin(), freed.size(), freed.begin());
  free_all();
  for (char* block : freed) promised(!freed_blocks_trap() || traps_on_read(block), "what was freed traps");
}

const scenario access_at_limit("access at the map limit", change_access_at_limit);
const scenario free_at_limit("free at the map limit", free_blocks_at_limit);

// Pages that are not locked differ less from the guard pages beside them, and the kernel may merge them.
const scenario unlocked_access_at_limit("access at the map limit, unlocked", [] {
  lock_no_more_than(0);
  change_access_at_limit();
});
const scenario unlocked_free_at_limit("free at the map limit, unlocked", [] {
  lock_no_more_than(0);
  free_blocks_at_limit();
});

const scenario thirty_thousand("thirty thousand blocks", [] {
  if (map_limit() < 65530) skip("vm.max_map_count is below its default");
  if (sysconf(_SC_PHYS_PAGES) / 2 < 30000) skip("thirty thousand pages are more than half of the memory");
  allocate_whole(30000);
  promised(block_count == 30000, "thirty thousand blocks live at once");
  free_all();
});

void check_kept(const scenario& which) {
  const ending end = which.run();
  INFO(end.text);
  if (end.skipped()) MESSAGE(end.text);
  CHECK((end.clean() || end.skipped()));
}

}  // namespace

TEST_CASE("at the map limit and just below it a block has both its guard pages or is refused with ENOMEM") {
  (void)asked_of_placement("guard pages beside each block");
  if (kept(promise::whole_or_refused)) check_kept(whole_at_limit);
}

TEST_CASE("at the map limit and just below it a block that takes the place of a freed one is whole or refused") {
  if (kept(promise::whole_or_refused)) check_kept(cycles_at_limit);
}

TEST_CASE("at the map limit access changes, or is refused with ENOMEM and stays as it was") {
  if (!asked_of_placement("an access of its own")) return;
  check_kept(access_at_limit);
  if (locks_are_real()) check_kept(unlocked_access_at_limit);
}

TEST_CASE("at the map limit a block can be freed, and traps afterwards") {
  check_kept(free_at_limit);
  if (locks_are_real()) check_kept(unlocked_free_at_limit);
}

TEST_CASE("thirty thousand blocks live at once on default limits, each between guard pages") {
  if (kept(promise::thirty_thousand)) check_kept(thirty_thousand);
}
