// grouped_damage_test.cc - who finds changed bytes of a freed slot, or beside one that is closed; and that a wipe reaches that one, too.
//
// Over the simulated host, which lets a test write where the system would trap. Each test runs in a child.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <csignal>
#include <cstddef>
#include <cstring>

#include "allocator/grouped/fast_path.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "allocator/pool.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"

using namespace lockfast::internal;
namespace platform = lockfast::platform;

namespace {

void check_breach(const ending& end, int signal, const char* line) {
  CHECK(end.signal == signal);
  CHECK(end.text == line);
}

}  // namespace

TEST_CASE("a write to a freed slot, or right beside it, is found when the slot is used again") {
  for (const std::size_t capacity : {16U, 32U, 48U, 256U, 1024U}) {
    for (const std::ptrdiff_t changed : {std::ptrdiff_t{-1}, std::ptrdiff_t{9}, static_cast<std::ptrdiff_t>(capacity / 2),
                                         static_cast<std::ptrdiff_t>(capacity)}) {
      CAPTURE(capacity);
      CAPTURE(changed);
      check_breach(in_child([&] {
                     const std::size_t run_size = 4 * platform::page_size();
                     std::byte* const run =
                         platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
                     slab one(slab_region::none());
                     prove(run != nullptr && one.cut(run, run_size, capacity), "a slab");
                     prove(one.open_more({page_run::lock_wanted::if_possible, ECANCELED, platform::default_key}) == 0, "pages");
                     const std::size_t index = one.take_free(0);
                     std::byte* const secret = one.occupy_fast(index, capacity);
                     std::size_t found = 0;
                     prove(one.vacate_fast(secret, one.offset_of(secret), found), "a freed slot");
                     secret[changed] ^= std::byte{1};
                     (void)one.occupy_fast(index, capacity);
                   }),
                   SIGABRT, "lockfast: write after free: a freed secret's bytes were changed\n");
    }
  }
}

TEST_CASE("a slot that is handed out while a secret lives in it ends the process") {
  check_breach(in_child([] {
                 const std::size_t run_size = 4 * platform::page_size();
                 std::byte* const run =
                     platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
                 slab one(slab_region::none());
                 prove(run != nullptr && one.cut(run, run_size, 32), "a slab");
                 prove(one.open_more({page_run::lock_wanted::if_possible, ECANCELED, platform::default_key}) == 0, "pages");
                 const std::size_t index = one.take_free(0);
                 (void)one.occupy_fast(index, 32);
                 (void)one.occupy_fast(index, 32);
               }),
               SIGABRT, "lockfast: double free: this secret was freed before\n");
}

TEST_CASE("an opening of a drop-in's block finds a canary that was changed while it was closed") {
  for (const auto opened : {platform::access::read, platform::access::read_write}) {
    check_breach(in_child([&] {
                   prove(set_variable("LOCKFAST_OPTIONS", "placement=grouped"), "the variable");
                   auto* const block = static_cast<std::byte*>(pool::allocate_for_drop_in(33, sodium_fill_byte));
                   prove(block != nullptr && pool::drop_in().protect(block, platform::access::none) == 0, "a closed block");
                   block[33] ^= std::byte{1};
                   (void)pool::drop_in().protect(block, opened);
                 }),
                 SIGSEGV, "lockfast: broken canary: bytes beside a secret were changed\n");
  }
}

TEST_CASE("a wipe of everything reaches a closed block of the drop-in that the system does not open") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "placement=grouped"), "the variable");
    auto* const block = static_cast<std::byte*>(pool::allocate_for_drop_in(33, sodium_fill_byte));
    prove(block != nullptr && pool::drop_in().protect(block, platform::access::none) == 0, "a closed block");
    lockfast::simulated::refuse_nth(1);
    lockfast_wipe_all();
    promised(lockfast::simulated::count(lockfast::simulated::call::wipe_closed) == 1, "from outside");
    promised(all_zero(block, 33), "wiped");
    promised(lockfast_check(block) == 0, "its canaries");
    promised(pool::drop_in().protect(block, platform::access::read_write) == 0, "opened again");
  }));
}
