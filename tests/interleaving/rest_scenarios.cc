// rest_scenarios.cc - secrets that are sealed while closed: openings, sealings, the key.
#include <array>
#include <cstdint>

#include "platform/platform.h"
#include "platform/simulated/simulated.h"
#include "tests/interleaving/scenario.h"
#include "tests/interleaving/secrets.h"

namespace lockfast::interleaving {
namespace {

constexpr const char* at_limit = "hidden=off,lock=required,rest=auto";
constexpr const char* sealing = "hidden=off,lock=required,rest=seal";
std::array<void*, 6> held;

bool is_sealed(const void* secret) {
  struct lockfast_receipt receipt;
  return lockfast_describe(secret, &receipt) == 0 && receipt.rest == LOCKFAST_SEALED;
}

const std::byte* page_of(const void* secret) {
  const auto address = reinterpret_cast<std::uintptr_t>(secret);
  return static_cast<const std::byte*>(secret) - address % platform::page_size();
}

bool is_locked(const void* secret) {
  return platform::lock_held(page_of(secret), platform::page_size()) == platform::hold::all;
}

void warm(std::size_t count) {
  watch_unlocks();
  for (std::size_t each = 0; each < count; ++each) {
    held[each] = make_isolated(32, each);
    close(held[each]);
    require(is_sealed(held[each]), "a closed secret is not sealed");
  }
}

// With room for half of the secrets: closed ones are sealed for those that are opened.
void warm_at_limit(void (*set_limit)(std::size_t)) {
  watch_unlocks();
  const std::size_t page = platform::page_size();
  set_limit(3 * page);  // one is the key's
  for (std::size_t each = 0; each < 4; ++each) {
    held[each] = make_isolated(32, each);
    close(held[each]);
  }
  require(is_sealed(held[0]) && is_sealed(held[1]), "the first secrets are not sealed");
  require(!is_sealed(held[3]), "the last secret is sealed");
}

void require_all_whole(std::size_t count) {
  for (std::size_t each = 0; each < count; ++each) open_and_close(held[each], 32, each);
}

const scenario all[] = {
    {.name = "rest.open_and_close",
     .options = sealing,
     .threads = {[] { open_and_close(held[0], 32, 0); }, [] { open_and_close(held[1], 32, 1); }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require_all_whole(2);
           require_counts(2);
         }},
    {.name = "rest.open_against_close_of_the_same",
     .options = sealing,
     .threads = {[] { require(lockfast_protect(held[0], LOCKFAST_READONLY) == 0, "an opening is refused"); },
                 [] { require(lockfast_protect(held[0], LOCKFAST_NOACCESS) == 0, "a closing is refused"); }},
     .prepare = [] { warm(1); },
     .verify =
         [] {
           struct lockfast_receipt receipt;
           require(lockfast_describe(held[0], &receipt) == 0, "a secret is not described");
           require_access(held[0], receipt.access);
           require(receipt.access != LOCKFAST_NOACCESS || is_sealed(held[0]), "a closed secret is not sealed");
           require_all_whole(1);
           require_counts(1);
         }},
    {.name = "rest.open_against_free",
     .options = sealing,
     .threads = {[] { open_and_close(held[0], 32, 0); }, [] { lockfast_free(held[1]); }},
     .prepare = [] { warm(2); },
     .verify =
         [] {
           require_all_whole(1);
           require_counts(1);
         }},
    {.name = "rest.open_against_allocation",
     .options = sealing,
     .threads = {[] { open_and_close(held[0], 32, 0); },
                 [] {
                   held[1] = make_isolated(32, 1);
                   close(held[1]);
                 }},
     .prepare = [] { warm(1); },
     .verify =
         [] {
           require_all_whole(2);
           require_counts(2);
         }},
    {.name = "rest.open_against_wipe_all",
     .options = sealing,
     .threads = {[] { (void)lockfast_protect(held[0], LOCKFAST_READONLY); }, [] { lockfast_wipe_all(); }},
     .prepare = [] { warm(1); },
     .verify =
         [] {
           struct lockfast_receipt receipt;
           require(lockfast_describe(held[0], &receipt) == 0, "a secret is not described");
           if (receipt.access == LOCKFAST_READONLY) require_wiped(held[0], 32);
         }},
    {.name = "rest.close_against_wipe_all",
     .options = sealing,
     .threads = {[] { close(held[0]); }, [] { lockfast_wipe_all(); }},
     .prepare = [] { held[0] = make_isolated(32, 0); },
     .verify =
         [] {
           // Sealed under a key that was wiped, it is not to be opened at all.
           if (!is_sealed(held[0]) && lockfast_protect(held[0], LOCKFAST_READONLY) == 0) require_wiped(held[0], 32);
         }},
    {.name = "rest.at_the_lock_limit",
     .options = at_limit,
     .threads = {[] { open_and_close(held[0], 32, 0); }, [] { open_and_close(held[3], 32, 3); }},
     .prepare = [] { warm_at_limit(simulated::set_lock_limit); },
     .verify =
         [] {
           require_all_whole(4);
           require_counts(4);
         }},
    {.name = "rest.free_at_the_lock_limit",
     .options = at_limit,
     .threads = {[] { open_and_close(held[0], 32, 0); }, [] { lockfast_free(held[3]); }},
     .prepare = [] { warm_at_limit(simulated::set_lock_limit); },
     .verify =
         [] {
           require_all_whole(3);
           require_counts(3);
         }},
    {.name = "rest.allocation_at_the_lock_limit",
     .options = at_limit,
     .threads = {[] { open_and_close(held[0], 32, 0); }, [] { held[4] = make_isolated(32, 4); }},
     .prepare = [] { warm_at_limit(simulated::set_lock_limit); },
     .verify =
         [] {
           require_contents(held[4], 32, 4);
           require_all_whole(4);
           require_counts(5);
         },
     .quick_bound = 1},
    {.name = "rest.at_the_hidden_limit",
     .options = "lock=required,rest=auto",
     .threads = {[] { open_and_close(held[0], 32, 0); }, [] { open_and_close(held[3], 32, 3); }},
     .prepare =
         [] {
           simulated::set_lock_limit(platform::page_size());
           warm_at_limit(simulated::set_hidden_limit);
         },
     .verify =
         [] {
           require_all_whole(4);
           require(lockfast_audit() == 0, "a canary is damaged");
         }},
    {.name = "rest.close_against_trim",
     .options = sealing,
     .threads = {[] { close(held[0]); }, [] { (void)lockfast_trim(); }},
     .prepare =
         [] {
           warm(1);
           require(lockfast_protect(held[0], LOCKFAST_READWRITE) == 0, "an opening is refused");
         },
     .verify =
         [] {
           require(is_sealed(held[0]), "a closed secret is not sealed");
           require_all_whole(1);
           require_counts(1);
         }},
    {.name = "rest.open_against_renewal_of_locks",
     .options = sealing,
     .threads = {[] { open_and_close(held[0], 32, 0); },
                 [] {
                   struct lockfast_statistics now;
                   lockfast_get_statistics(&now);
                 }},
     .prepare =
         [] {
           warm(1);
           held[1] = make_isolated(32, 1);
           simulated::unlock_everything();
         },
     .verify =
         [] {
           require_contents(held[1], 32, 1);
           // A secret that a thread was busy with may stay without a lock, and its receipt says so.
           struct lockfast_receipt receipt;
           require(lockfast_protect(held[0], LOCKFAST_READONLY) == 0, "an opening is refused");
           require(lockfast_describe(held[0], &receipt) == 0, "a secret is not described");
           require((receipt.lock_error == 0) == is_locked(held[0]), "a receipt calls a page locked that is not");
           require(is_locked(held[1]), "a page is not locked again");
         }},
};

}  // namespace

std::span<const scenario> rest_scenarios() { return all; }

}  // namespace lockfast::interleaving
