// grouped_calls_test.cc - the nth call to the system refuses, for every n until none does, through the lives of grouped secrets
// and compartments: nothing stays live, locked or open, and nothing is unlocked unwiped.
//
// That nothing is unlocked or released unwiped is the simulated host's own check, which ends the process. Each n runs in a
// child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "allocator/base/bytes.h"
#include "allocator/pool.h"
#include "platform/simulated/simulated.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;

namespace {

constexpr int not_refused = 42;  // the child's status when no call was left to refuse

struct session {
  void run() {
    for (const std::size_t size : {0U, 32U, 32U, 1000U, 16384U, 100000U}) keep(lockfast_malloc(size), size);
    keep(lockfast_calloc(3, 50), 150);
    keep(lockfast_aligned_alloc(512, 100), 100);
    for (void*& secret : held) {
      for (const std::size_t size : {40U, 3000U, 30000U, 10U}) resize(secret, size);
    }
    promised(lockfast_audit() == 0, "whole canaries");
    std::thread([&] {
      if (void* const secret = lockfast_malloc(64)) {
        lockfast_free(secret);
      } else {
        refuse();
      }
      for (void* const secret : held) lockfast_free(secret);
    }).join();
    held.clear();
    (void)lockfast_trim();
    keep(lockfast_malloc(32), 32);
    in_compartment();
    for (void* const secret : held) lockfast_free(secret);
  }

  void in_compartment() {
    auto* const keys = lockfast_compartment_create();
    if (keys == nullptr) return refuse();
    std::vector<void*> secrets;
    for (const std::size_t size : {32U, 32U, 5000U, 200000U}) {
      if (void* const secret = lockfast_compartment_malloc(keys, size)) {
        promised(lockfast_size(secret) == size, "its size");
        std::memset(secret, 'k', size);
        secrets.push_back(secret);
      } else {
        refuse();
      }
    }
    for (const lockfast_access access : {LOCKFAST_READONLY, LOCKFAST_NOACCESS, LOCKFAST_READWRITE, LOCKFAST_READWRITE}) {
      if (lockfast_compartment_protect(keys, access) != 0) ++refused_accesses;
    }
    for (void*& secret : secrets) {
      promised(lockfast_check(secret) == 0, "whole canaries");
      resize(secret, 700);
    }
    if (!secrets.empty()) {
      lockfast_free(secrets.back());
    }
    lockfast_compartment_destroy(keys);
  }

  void keep(void* made, std::size_t size) {
    if (made == nullptr) return refuse();
    std::memset(made, 's', size);
    held.push_back(made);
  }

  void resize(void*& secret, std::size_t size) {
    const std::size_t before = lockfast_size(secret);
    void* const moved = lockfast_realloc(secret, size);
    if (moved == nullptr) {
      refuse();
      promised(lockfast_size(secret) == before && lockfast_check(secret) == 0, "as it was after a refusal");
      return;
    }
    promised(lockfast_size(moved) == size, "its new size");
    std::memset(moved, 'r', size);
    secret = moved;
  }

  // EPERM is the simulated host's where it gives no random bytes to start with.
  void refuse() {
    promised(errno == ENOMEM || errno == EPERM, "ENOMEM, or the system's");
    ++refusals;
  }

  std::vector<void*> held;
  int refusals = 0;
  int refused_accesses = 0;
};

// What the simulated system has besides locks.
struct extras {
  std::size_t hidden_limit = 0;
  bool guard_markers = false;

  void set() const {
    simulated::set_hidden_limit(hidden_limit);
    simulated::set_guard_markers(guard_markers);
    if (guard_markers) simulated::set_map_limit(8);  // so few that every region of isolated secrets is marked
  }
};

// How many calls can refuse: goes on until none does.
std::size_t refuse_each(const char* policy, const extras& has = {}) {
  for (std::size_t n = 1;; ++n) {
    CAPTURE(policy);
    CAPTURE(n);
    const ending end = in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", policy), "the variable");
      simulated::reset();
      has.set();
      simulated::refuse_nth(n);
      session one;
      one.run();
      const bool refused = simulated::refused();
      simulated::refuse_nth(0);
      promised(one.refusals + one.refused_accesses <= (refused ? 1 : 0), "one refusal at most, and none without a cause");
      struct lockfast_statistics left;
      lockfast_get_statistics(&left);
      promised(left.live == 0 && left.allocations == left.frees, "none is live");
      promised(left.refusals == static_cast<std::size_t>(one.refusals), "refusals are counted");
      (void)lockfast_trim();
      lockfast_get_statistics(&left);
      promised(left.bytes_locked == 0 && simulated::bytes_locked() == 0, "nothing is locked");
      promised(simulated::bytes_hidden() == 0 && simulated::bytes_marked() == 0, "nothing is hidden or marked");
      promised((simulated::count(simulated::call::hide) != 0) == (has.hidden_limit != 0), "hidden memory was asked for");
      promised((simulated::count(simulated::call::mark) != 0) == has.guard_markers, "markers were asked for");
      // And all works as if nothing had been refused.
      session again;
      again.run();
      promised(again.refusals + again.refused_accesses == 0, "no refusal any more");
      (void)lockfast_trim();
      promised(simulated::bytes_locked() == 0, "nothing is locked");
      if (!refused) _exit(not_refused);
    });
    CAPTURE(end.text);
    if (end.status == not_refused) return n;
    REQUIRE(end.clean());
    REQUIRE(n < 2000);
  }
}

}  // namespace

TEST_CASE("a refusal of any one call in the lives of grouped secrets leaves nothing behind, when the lock is required") {
  CHECK(refuse_each("lock=required,freed=trap") > 20);
  CHECK(refuse_each("lock=required,freed=recycle") > 20);
}

TEST_CASE("a refusal of any one call in the lives of grouped secrets leaves nothing behind, when the lock is preferred") {
  CHECK(refuse_each("lock=preferred") > 20);
}

TEST_CASE("a refusal of any one call leaves nothing behind, when secrets are hidden") {
  constexpr std::size_t plenty = std::size_t{64} << 20;
  CHECK(refuse_each("lock=required", {.hidden_limit = plenty}) > 20);
  CHECK(refuse_each("lock=preferred,freed=recycle", {.hidden_limit = plenty}) > 20);
}

TEST_CASE("a refusal of any one call leaves nothing behind, when only a few pages can be hidden") {
  CHECK(refuse_each("lock=required", {.hidden_limit = 40 * 4096}) > 20);
}

TEST_CASE("a refusal of any one call leaves nothing behind, when isolated secrets lie between guard markers") {
  CHECK(refuse_each("hidden=off", {.guard_markers = true}) > 20);
  CHECK(refuse_each("hidden=off,freed=recycle", {.guard_markers = true}) > 20);
}

TEST_CASE("a refusal of any one call leaves the access of a grouped block, and the block, as they were") {
  using lockfast::internal::pool;
  using lockfast::platform::access;
  for (std::size_t n = 1;; ++n) {
    CAPTURE(n);
    const ending end = in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", "placement=grouped"), "the variable");
      simulated::reset();
      std::vector<std::pair<void*, std::size_t>> blocks;
      for (const std::size_t size : {40U, 40U, 3000U, 9000U}) {  // the last one lies in three pages
        void* const made = pool::allocate_for_drop_in(size, lockfast::internal::sodium_fill_byte);
        prove(made != nullptr, "a block");
        std::memset(made, 's', size);
        blocks.emplace_back(made, size);
      }
      simulated::refuse_nth(n);
      int refusals = 0;
      for (const access to : {access::none, access::read, access::none, access::read_write, access::read}) {
        for (const auto& each : blocks) refusals += pool::drop_in().protect(each.first, to) != 0 ? 1 : 0;
      }
      const bool refused = simulated::refused();
      simulated::refuse_nth(0);
      promised(refusals == (refused ? 1 : 0), "one refusal, for its cause");
      for (const auto& [block, size] : blocks) {
        promised(pool::drop_in().protect(block, access::read_write) == 0, "opened in the end");
        const auto* const bytes = static_cast<const char*>(block);
        promised(static_cast<std::size_t>(std::count(bytes, bytes + size, 's')) == size, "whole in the end");
        pool::deallocate<lockfast::internal::drop_in_family>(block);
      }
      if (!refused) _exit(not_refused);
    });
    CAPTURE(end.text);
    if (end.status == not_refused) {
      CHECK(n > 10);
      return;
    }
    REQUIRE(end.clean());
  }
}

TEST_CASE("a closed compartment whose pages the system will not open is served, refused, or ends the process with a line") {
  for (const bool destroy : {false, true}) {
    const ending end = in_child([&] {
      auto* const keys = lockfast_compartment_create();
      prove(keys != nullptr, "a compartment");
      void* const secret = lockfast_compartment_malloc(keys, 32);
      prove(secret != nullptr && lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "a closed secret");
      simulated::refuse_nth(1);
      if (destroy) {
        lockfast_compartment_destroy(keys);
      } else {
        lockfast_free(secret);
      }
      promised(lockfast_size(secret) == 0, "freed");
    });
    CAPTURE(end.text);
    const bool said = end.text == "lockfast: access refused: the system would not change the access of a secret's pages\n";
    CHECK((end.clean() || (end.signal == SIGABRT && said)));
  }
}

TEST_CASE("a large secret of a compartment that cannot move stays whole, whatever less it is to have") {
  const ending end = in_child([] {
    simulated::reset();
    struct lockfast_compartment* const keys = lockfast_compartment_create();
    promised(keys != nullptr, "a compartment");
    constexpr std::size_t size = std::size_t{4} << 20;
    void* const secret = lockfast_compartment_malloc(keys, size);
    promised(secret != nullptr, "a secret");
    simulated::set_lock_limit(0);
    for (const std::size_t less : {size - 100, std::size_t{3} << 20, std::size_t{100}}) {
      const std::size_t before = lockfast_size(secret);
      void* const cut = lockfast_realloc(secret, less);
      promised(cut == nullptr || cut == secret, "where it is");
      promised(lockfast_size(secret) == (cut == nullptr ? before : less), "its size");
      promised(lockfast_check(secret) == 0, "whole canaries");
    }
    lockfast_free(secret);
    lockfast_compartment_destroy(keys);
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a grouped secret of a lock limit of nothing is refused, and leaves nothing reserved open") {
  const ending end = in_child([] {
    simulated::reset();
    simulated::set_lock_limit(0);
    for (int count = 0; count < 10; ++count) {
      errno = 0;
      promised(lockfast_malloc(32) == nullptr && errno == ENOMEM, "ENOMEM");
    }
    struct lockfast_statistics left;
    lockfast_get_statistics(&left);
    promised(left.live == 0 && left.bytes_locked == 0 && left.refusals == 10, "nothing is left");
    simulated::set_lock_limit(SIZE_MAX);
    void* const secret = lockfast_malloc(32);
    promised(secret != nullptr, "once there is a limit");
    lockfast_free(secret);
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
