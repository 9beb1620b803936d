// grouped_scenarios.cc - secrets that share pages: thread caches, slabs that are owned, compartments.
#include <array>

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
