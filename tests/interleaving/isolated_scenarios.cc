// isolated_scenarios.cc - secrets in pages of their own, in one arena.
#include <array>

#include "tests/interleaving/scenario.h"
#include "tests/interleaving/secrets.h"

namespace lockfast::interleaving {
namespace {

constexpr const char* locked = "hidden=off,lock=required";
std::array<void*, 4> held;

void warm(std::size_t count) {
  watch_unlocks();
  for (std::size_t each = 0; each < count; ++each) held[each] = make_isolated(32, each);
  lockfast_free(lockfast_malloc_isolated(32));
}

void warm_one_and_an_idle_place() {
  warm(2);
  free_whole(held[1], 32, 1);
}

void the_first_is_left() {
  require_contents(held[0], 32, 0);
  require_counts(1);
}

void* moved = nullptr;

const scenario all[] = {
    {.name = "isolated.pairs",
     .options = locked,
     .threads = {[] { free_whole(make_isolated(32, 5), 32, 5); }, [] { free_whole(make_isolated(32, 6), 32, 6); }},
     .prepare = [] { warm(1); },
     .verify = the_first_is_left},
    {.name = "isolated.protect_neighbours",
     .options = locked,
     .threads = {[] {
                   close(held[0]);
                   open_and_close(held[0], 32, 0);
                 },
                 [] {
                   close(held[1]);
                   open_and_close(held[1], 32, 1);
                 }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           open_and_close(held[0], 32, 0);
           open_and_close(held[1], 32, 1);
           require_counts(2);
         }},
    {.name = "isolated.free_twice",
     .options = locked,
     .threads = {[] { lockfast_free(held[0]); }, [] { lockfast_free(held[0]); }},
     .prepare =
         [] {
           warm(2);
           leave_book(held[0]);
         },
     .dies_of = "lockfast: double free"},
    {.name = "isolated.free_against_wipe_all",
     .options = locked,
     .threads = {[] {
                   leave_book(held[0]);
                   lockfast_free(held[0]);
                 },
                 [] { lockfast_wipe_all(); }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require_wiped(held[1], 32);
           require_counts(1);
         }},
    {.name = "isolated.realloc_against_wipe_all",
     .options = locked,
     .threads = {[] {
                   leave_book(held[0]);
                   moved = lockfast_realloc(held[0], 5000);
                 },
                 [] { lockfast_wipe_all(); }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require(moved != nullptr, "a move is refused");
           require_wiped(moved, 5000);
           require_wiped(held[1], 32);
           require_counts(2);
         }},
    {.name = "isolated.free_against_close",
     .options = locked,
     .threads = {[] { free_whole(held[0], 32, 0); }, [] { close(held[1]); }, [] { free_whole(held[2], 32, 2); }},
     .prepare = [] { warm(3); },
     .verify =
         [] {
           open_and_close(held[1], 32, 1);
           require_counts(1);
         }},
    {.name = "isolated.trim_against_pair",
     .options = locked,
     .threads = {[] { (void)lockfast_trim(); }, [] { free_whole(make_isolated(32, 6), 32, 6); }},
     .prepare = warm_one_and_an_idle_place,
     .verify = the_first_is_left,
     .quick_bound = 1},
    {.name = "isolated.audit_against_free",
     .options = locked,
     .threads = {[] { require(lockfast_audit() == 0, "a canary is damaged"); }, [] { free_whole(held[1], 32, 1); }},
     .prepare = [] { warm(2); },
     .verify = the_first_is_left},
    {.name = "isolated.statistics_against_free",
     .options = locked,
     .threads = {[] {
                   struct lockfast_statistics now;
                   lockfast_get_statistics(&now);
                   require(now.live == 1 || now.live == 2, "a count that never was");
                 },
                 [] { free_whole(held[1], 32, 1); }},
     .prepare = [] { warm(2); },
     .verify = [] { require_counts(1); }},
    // Both walk from span to span: each step of the one depends on the other's.
    {.name = "isolated.audit_against_trim",
     .options = locked,
     .threads = {[] { require(lockfast_audit() == 0, "a canary is damaged"); }, [] { (void)lockfast_trim(); }},
     .prepare = warm_one_and_an_idle_place,
     .verify = the_first_is_left,
     .quick_bound = 1,
     .long_bound = 1},
};

}  // namespace

std::span<const scenario> isolated_scenarios() { return all; }

}  // namespace lockfast::interleaving
