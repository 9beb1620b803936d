// grouped_scenarios.cc - secrets that share pages: thread caches, slabs that are owned, compartments.
#include <array>
#include <thread>

#include "allocator/pool.h"
#include "platform/platform.h"
#include "tests/interleaving/scenario.h"
#include "tests/interleaving/secrets.h"

namespace lockfast::interleaving {
namespace {

constexpr const char* locked = "hidden=off,lock=required";
std::array<void*, 4> held;
void* moved = nullptr;
struct lockfast_compartment* in = nullptr;

// The secrets are of one slab, which the thread that prepares owns.
void warm(std::size_t count) {
  watch_unlocks();
  for (std::size_t each = 0; each < count; ++each) held[each] = make_grouped(200, each);
  lockfast_free(lockfast_malloc(200));
}

// A block of the drop-in's, which can be closed by itself.
void* make_block(std::size_t which) {
  void* const block = internal::pool::allocate_for_drop_in(200, 0);
  require(block != nullptr, "a block is refused");
  write_into(block, 200, which);
  return block;
}

void protect_block(void* block, platform::access to) {
  require(internal::pool::drop_in().protect(block, to) == 0, "an access is refused");
}

void close_and_open_block(void* block, std::size_t which) {
  protect_block(block, platform::access::none);
  protect_block(block, platform::access::read_write);
  require_access(block, LOCKFAST_READWRITE);
  require_contents(block, 200, which);
}

void pair(std::size_t which) { free_whole(make_grouped(200, which), 200, which); }

void hand_over(void* secret) {
  announce(&moved, touch::write);
  moved = secret;
}

void* take_over() {
  for (;;) {
    announce(&moved, touch::read);
    if (moved != nullptr) return moved;
    platform::yield();
  }
}

void open_compartment(enum lockfast_access access) {
  require(lockfast_compartment_protect(in, access) == 0, "an opening is refused");
  require_contents(held[0], 200, 0);
}

const scenario all[] = {
    {.name = "grouped.pairs",
     .options = locked,
     .threads = {[] { pair(5); }, [] { pair(6); }},
     .prepare = [] { warm(1); },
     .verify =
         [] {
           require_contents(held[0], 200, 0);
           require_counts(1);
         }},
    {.name = "grouped.free_of_others",
     .options = locked,
     .threads = {[] {
                   free_whole(held[0], 200, 0);
                   held[0] = make_grouped(200, 5);
                 },
                 [] {
                   free_whole(held[1], 200, 1);
                   held[1] = make_grouped(200, 6);
                 }},
     .prepare = [] { warm(3); },
     .verify =
         [] {
           require_contents(held[0], 200, 5);
           require_contents(held[1], 200, 6);
           require_contents(held[2], 200, 2);
           require_counts(3);
         }},
    {.name = "grouped.hand_over",
     .options = locked,
     .threads = {[] {
                   hand_over(make_grouped(200, 5));
                   pair(6);
                 },
                 [] { free_whole(take_over(), 200, 5); }},
     .prepare = [] { warm(1); },
     .verify = [] { require_counts(1); }},
    {.name = "grouped.free_twice",
     .options = locked,
     .threads = {[] { lockfast_free(held[0]); }, [] { lockfast_free(held[0]); }},
     .prepare =
         [] {
           warm(2);
           leave_book(held[0]);
         },
     // No free takes a mutex: two at the same moment may both go through, and then the slot waits twice to be handed out.
     .verify =
         [] {
           for (int count = 0; count < 400; ++count) require(lockfast_malloc(200) != nullptr, "a secret is refused");
         },
     .ends = ending_of_threads::announced,
     .dies_of = "lockfast: "},
    {.name = "grouped.free_against_wipe_all",
     .options = locked,
     .threads = {[] {
                   leave_book(held[0]);
                   lockfast_free(held[0]);
                 },
                 [] { lockfast_wipe_all(); }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require_wiped(held[1], 200);
           require_counts(1);
         }},
    {.name = "grouped.realloc_against_wipe_all",
     .options = locked,
     .threads = {[] {
                   leave_book(held[0]);
                   moved = lockfast_realloc(held[0], 500);
                 },
                 [] { lockfast_wipe_all(); }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require(moved != nullptr, "a move is refused");
           require_wiped(moved, 500);
           require_wiped(held[1], 200);
           require_counts(2);
         }},
    // To a slab that the walk comes to before the old one.
    {.name = "grouped.realloc_to_an_earlier_slab_against_wipe_all",
     .options = locked,
     .threads = {[] {
                   leave_book(held[1]);
                   moved = lockfast_realloc(held[1], 200);
                 },
                 [] { lockfast_wipe_all(); }},
     .prepare =
         [] {
           warm(1);
           held[1] = make_grouped(1000, 1);
           // Those of the other arenas: the next thread shares the slabs of this one.
           for (int others = 0; others < 3; ++others) std::thread([] { lockfast_free(lockfast_malloc(200)); }).join();
         },
     .verify =
         [] {
           require(moved != nullptr, "a move is refused");
           require_wiped(moved, 200);
           require_counts(2);
         }},
    {.name = "grouped.end_of_thread_against_free",
     .options = locked,
     .threads = {[] { held[1] = make_grouped(200, 5); },
                 [] {
                   free_whole(held[0], 200, 0);
                   held[2] = make_grouped(200, 6);
                 }},
     .prepare = [] { warm(1); },
     .verify =
         [] {
           require_contents(held[1], 200, 5);
           require_contents(held[2], 200, 6);
           require_counts(2);
         },
     .ends = ending_of_threads::announced},
    {.name = "grouped.free_against_end_of_owner",
     .options = locked,
     .threads = {[] { hand_over(make_grouped(200, 5)); }, [] { free_whole(take_over(), 200, 5); }},
     .prepare = [] { warm(1); },
     .verify =
         [] {
           require_contents(held[0], 200, 0);
           require_counts(1);
         },
     .ends = ending_of_threads::announced},
    {.name = "grouped.trim_against_pair",
     .options = locked,
     .threads = {[] { (void)lockfast_trim(); }, [] { pair(6); }},
     .prepare =
         [] {
           warm(1);
           free_whole(held[0], 200, 0);
         },
     .verify = [] { require_counts(0); }},
    // Served by the thread's cache, in slots that the secrets fill.
    {.name = "grouped.audit_against_pairs",
     .options = locked,
     .threads = {[] { require(lockfast_audit() == 0, "a canary is damaged"); },
                 [] {
                   free_whole(make_grouped(32, 5), 32, 5);
                   free_whole(make_grouped(32, 6), 32, 6);
                 }},
     .prepare = [] { warm(1); },
     .verify = [] { require_counts(1); }},
    {.name = "grouped.audit_against_free",
     .options = locked,
     .threads = {[] { require(lockfast_audit() == 0, "a canary is damaged"); },
                 [] {
                   free_whole(held[0], 200, 0);
                   held[0] = make_grouped(190, 6);
                 }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require_contents(held[0], 190, 6);
           require_counts(2);
         }},
    {.name = "grouped.protect_neighbours",
     .options = "hidden=off,lock=required,placement=grouped",
     .threads = {[] { close_and_open_block(held[0], 0); }, [] { close_and_open_block(held[1], 1); }},
     .prepare =
         [] {
           held[0] = make_block(0);
           held[1] = make_block(1);
         },
     .verify =
         [] {
           protect_block(held[0], platform::access::none);
           protect_block(held[1], platform::access::none);
           internal::pool::drop_in().deallocate_anywhere(held[0]);
           internal::pool::drop_in().deallocate_anywhere(held[1]);
           require_counts(0);
         }},
    {.name = "compartments.open_and_close",
     .options = locked,
     .threads = {[] {
                   open_compartment(LOCKFAST_READWRITE);
                   require_access(held[0], LOCKFAST_READWRITE);
                   require(lockfast_compartment_protect(in, LOCKFAST_NOACCESS) == 0, "a closing is refused");
                 },
                 [] {
                   open_compartment(LOCKFAST_READONLY);
                   require(lockfast_compartment_protect(in, LOCKFAST_NOACCESS) == 0, "a closing is refused");
                 }},
     .prepare =
         [] {
           watch_unlocks();
           in = lockfast_compartment_create();
           held[0] = lockfast_compartment_malloc(in, 200);
           require(held[0] != nullptr, "a secret is refused");
           write_into(held[0], 200, 0);
           require(lockfast_compartment_protect(in, LOCKFAST_NOACCESS) == 0, "a closing is refused");
           require_access(held[0], LOCKFAST_NOACCESS);
         },
     .verify =
         [] {
           require_access(held[0], LOCKFAST_NOACCESS);
           require_counts(1);
         }},
    {.name = "compartments.end_of_thread_that_has_it_open",
     .options = locked,
     .threads = {[] { open_compartment(LOCKFAST_READONLY); },
                 [] {
                   open_compartment(LOCKFAST_READWRITE);
                   require_access(held[0], LOCKFAST_READWRITE);
                   require(lockfast_compartment_protect(in, LOCKFAST_NOACCESS) == 0, "a closing is refused");
                 }},
     .prepare =
         [] {
           in = lockfast_compartment_create();
           held[0] = lockfast_compartment_malloc(in, 200);
           require(held[0] != nullptr, "a secret is refused");
           write_into(held[0], 200, 0);
           require(lockfast_compartment_protect(in, LOCKFAST_NOACCESS) == 0, "a closing is refused");
         },
     .verify =
         [] {
           require_access(held[0], LOCKFAST_NOACCESS);
           require_counts(1);
         },
     .ends = ending_of_threads::announced},
};

}  // namespace

std::span<const scenario> grouped_scenarios() { return all; }

}  // namespace lockfast::interleaving
