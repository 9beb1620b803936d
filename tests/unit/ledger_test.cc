// ledger_test.cc - claims are a set of bytes, and a page is locked while any byte of it is claimed.
#include "allocator/ledger.h"

#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/receipt.h"
#include "unit/arena.h"

using namespace lockfast::internal;
namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t page_count = 8;

// Eight pages of a client's, and what the ledger should know of them.
struct client {
  client() : memory(static_cast<unsigned char*>(operator new(page * page_count, std::align_val_t(page)))), claimed(page * page_count) {
    simulated::reset();
    std::fill_n(memory.get(), page * page_count, static_cast<unsigned char>(7));
  }
  ~client() { (void)ledger::of_process().disclaim(memory.get(), page * page_count); }

  void claim(std::size_t at, std::size_t length) {
    REQUIRE(ledger::of_process().claim(memory.get() + at, length) == 0);
    std::fill_n(claimed.begin() + static_cast<std::ptrdiff_t>(at), length, true);
  }
  void disclaim(std::size_t at, std::size_t length) {
    REQUIRE(ledger::of_process().disclaim(memory.get() + at, length) == 0);
    std::fill_n(claimed.begin() + static_cast<std::ptrdiff_t>(at), length, false);
  }

  void agrees() const {
    for (std::size_t which = 0; which < page_count; ++which) {
      const auto first = claimed.begin() + static_cast<std::ptrdiff_t>(which * page);
      const bool any = std::find(first, first + page, true) != first + page;
      CAPTURE(which);
      REQUIRE(simulated::foreign_locked(memory.get() + which * page) == any);
      REQUIRE(simulated::foreign_concealed(memory.get() + which * page) == any);
    }
  }

  struct freed {
    void operator()(unsigned char* bytes) const { operator delete(bytes, std::align_val_t(page)); }
  };
  std::unique_ptr<unsigned char, freed> memory;
  std::vector<bool> claimed;
};

}  // namespace

TEST_CASE("a page is locked from the first claimed byte to the last") {
  client c;
  c.claim(100, 10);
  c.claim(200, 10);
  c.agrees();
  c.disclaim(100, 10);
  c.agrees();
  c.disclaim(200, 10);
  c.agrees();
}

TEST_CASE("claiming twice needs no second giving up") {
  client c;
  c.claim(100, 50);
  c.claim(120, 50);
  c.disclaim(100, 70);
  c.agrees();
}

TEST_CASE("a hole in the middle of a claim unlocks the pages inside it alone") {
  client c;
  c.claim(10, 6 * page);
  c.disclaim(2 * page - 5, page + 10);
  c.agrees();
}

TEST_CASE("giving up wipes exactly the bytes it names, claimed or not") {
  client c;
  c.claim(50, 20);
  c.disclaim(60, 30);
  for (std::size_t at = 0; at < page; ++at) REQUIRE(c.memory.get()[at] == (at >= 60 && at < 90 ? 0 : 7));
  c.agrees();
}

TEST_CASE("giving up wipes its bytes where there is no memory to write down what stays claimed") {
  client c;
  bool was_refused = false;
  for (std::size_t at = 0; at < page * page_count && !was_refused; at += 4) {
    c.claim(at, 3);
    simulated::refuse_from(1);
    const auto refusal = ledger::of_process().disclaim(c.memory.get() + at + 1, 1);
    simulated::refuse_nth(0);
    CHECK(c.memory.get()[at + 1] == 0);
    was_refused = refusal != 0;
    if (was_refused) CHECK(refusal == ENOMEM);
  }
  CHECK(was_refused);
  c.agrees();
}

TEST_CASE("giving up what was never claimed unlocks nothing of others") {
  client c;
  c.claim(0, 10);
  c.disclaim(100, page);
  c.agrees();
  CHECK(simulated::foreign_locked(c.memory.get()));
}

TEST_CASE("the caller's memory right behind a region, in the same unit of addresses, is the caller's") {
  const by_address calls{make_arena(trapping)};
  std::byte* const secret = calls.allocate(300000);
  const span_region& in = *span_region::find_secret(secret).in;
  std::byte* const behind = in.base() + in.size();
  CHECK(span_region::find(behind - 1).in == &in);
  CHECK(span_region::find(behind).in == nullptr);
  CHECK(span_region::find(in.base() + lockfast::internal::region_unit - 1).in == nullptr);
  calls.deallocate(secret);
}

TEST_CASE("a lock that is refused half-way leaves every page as it was") {
  client c;
  c.claim(page + 1, 1);
  simulated::set_lock_limit(simulated::bytes_locked() + 2 * page);
  CHECK(ledger::of_process().claim(c.memory.get(), page * page_count) == ENOMEM);
  c.agrees();
  simulated::reset();
}

TEST_CASE("pages that can't be left out of dumps are not locked either") {
  client c;
  simulated::refuse_nth(2);
  CHECK(ledger::of_process().claim(c.memory.get() + 5, 2 * page) == EINVAL);
  CHECK(simulated::refused());
  c.agrees();
}

TEST_CASE("what the program locked itself stays locked, through a claim and its end, and through a refusal") {
  client c;
  simulated::lock_as_program(c.memory.get() + 2 * page);
  simulated::lock_as_program(c.memory.get() + 3 * page);
  simulated::conceal_as_program(c.memory.get() + 3 * page);
  const auto program_has_its_own = [&] {
    for (std::size_t which = 0; which < page_count; ++which) {
      CAPTURE(which);
      CHECK(simulated::foreign_locked(c.memory.get() + which * page) == (which == 2 || which == 3));
      CHECK(simulated::foreign_concealed(c.memory.get() + which * page) == (which == 3));
    }
  };
  SUBCASE("a claim and its end") {
    c.claim(page + 100, 4 * page);
    CHECK(simulated::foreign_concealed(c.memory.get() + 2 * page));
    c.disclaim(page + 100, 4 * page);
    program_has_its_own();
  }
  SUBCASE("two claims of one page") {
    c.claim(3 * page + 10, 10);
    c.claim(3 * page + 30, 10);
    c.disclaim(3 * page + 10, 10);
    c.disclaim(3 * page + 30, 10);
    program_has_its_own();
  }
  SUBCASE("a lock that is refused half-way") {
    simulated::set_lock_limit(simulated::bytes_locked() + page);
    CHECK(ledger::of_process().claim(c.memory.get(), page * page_count) == ENOMEM);
    program_has_its_own();
  }
  SUBCASE("advice that is refused") {
    simulated::refuse_nth(2);
    CHECK(ledger::of_process().claim(c.memory.get(), page * page_count) == EINVAL);
    program_has_its_own();
  }
  simulated::reset();
  simulated::unlock_everything();
  REQUIRE(lockfast::platform::reveal(reinterpret_cast<std::byte*>(c.memory.get()), page * page_count) == 0);
}

TEST_CASE("memory that the system takes a lock of and does not hold is refused with ENOTSUP") {
  client c;
  simulated::set_unlockable(c.memory.get() + 5 * page);
  CHECK(ledger::of_process().claim(c.memory.get() + 4 * page, 3 * page) == ENOTSUP);
  c.agrees();
  c.claim(4 * page, page);
  c.agrees();
}

TEST_CASE("a range past the end of the address space is refused") {
  CHECK(ledger::of_process().claim(reinterpret_cast<void*>(UINTPTR_MAX - 100), 200) == ENOMEM);
  CHECK(ledger::of_process().disclaim(reinterpret_cast<void*>(UINTPTR_MAX - 100), 200) == ENOMEM);
  CHECK(ledger::of_process().claim(nullptr, 0) == 0);
}

TEST_CASE("a claim of a secret's page that has no lock is refused for what kept it from the lock") {
  check_clean(in_child([] {
    simulated::reset();
    prove(set_variable("LOCKFAST_OPTIONS", "lock=preferred"), "the variable");
    for (const bool in_group : {false, true}) {
      simulated::set_lock_limit(0);
      void* const secret = in_group ? lockfast_malloc(32) : lockfast_malloc_isolated(32);
      simulated::set_lock_limit(SIZE_MAX);
      prove(secret != nullptr && receipt_of(secret).lock_error == ENOMEM, "a secret without the lock");
      promised(lockfast_mlock(secret, 32) == -1 && errno == ENOMEM, "refused");
    }
  }));
}

TEST_CASE("ten thousand random claims agree with a set of bytes") {
  client c;
  std::mt19937 random(1);  // a fixed sequence, so that a failure comes again
  for (int round = 0; round < 10000; ++round) {
    const std::size_t at = random() % (page * page_count);
    const std::size_t most = random() % 3 == 0 ? page * page_count : 300;
    const std::size_t length = random() % (std::min(most, page * page_count - at) + 1);
    if (random() % 2 == 0) {
      c.claim(at, length);
    } else {
      c.disclaim(at, length);
    }
    if (round % 10 == 0) c.agrees();
  }
  c.agrees();
}
