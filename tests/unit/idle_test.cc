// idle_test.cc - pages that no secret has: of freed ones, that rest for the next ones, and those opened ahead; how many, for how long,
// and who takes them.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cstddef>
#include <string>
#include <vector>

#include "allocator/isolated/idle_budget.h"
#include "allocator/isolated/span_list.h"
#include "allocator/isolated/span_region.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;
using lockfast::internal::span;
using lockfast::internal::span_list;
using lockfast::platform::access;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t max_ahead = 16;  // places that are opened with the one that is asked for

void options(const std::string& text) { prove(set_variable("LOCKFAST_OPTIONS", text.c_str()), "the options"); }

std::vector<void*> load(std::size_t count, std::size_t size = 32) {
  std::vector<void*> all(count);
  for (void*& each : all) {
    each = lockfast_malloc_isolated(size);
    prove(each != nullptr, "a secret");
    for (std::size_t at = 0; at < size; ++at) prove(static_cast<unsigned char*>(each)[at] == 0, "zeros");
    static_cast<unsigned char*>(each)[0] = 'x';
  }
  return all;
}

void free_all(const std::vector<void*>& all) {
  for (void* const each : all) lockfast_free(each);
}

// How often the system was asked to hide or lock pages so far.
std::size_t taken() {
  using simulated::call;
  return simulated::count(call::hide) + simulated::count(call::lock) + simulated::count(call::renew_lock);
}

std::size_t held() { return simulated::bytes_locked() + simulated::bytes_hidden(); }

std::size_t idle() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now.bytes_idle;
}

// The access of every idle place in a secret's region.
bool idle_ones_are(lockfast::platform::access wanted, const void* beside) {
  const auto& in = lockfast::internal::span_region::find_secret(static_cast<const std::byte*>(beside)).at->home;
  for (const auto* at = in.begin(); at < in.end(); ++at) {
    if (at->current_state() == span::state::idle && at->current_access() != wanted) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a program that freed many isolated secrets finds their pages when it makes as many again") {
  for (const char* const policy : {"idle=auto", "hidden=off", "freed=recycle", "hidden=off,freed=recycle"}) {
    for (const bool hidden : {false, true}) {
      CAPTURE(policy);
      CAPTURE(hidden);
      check_clean(in_child([&] {
        options(policy);
        if (hidden) simulated::set_hidden_limit(SIZE_MAX);
        constexpr std::size_t count = 1000;
        free_all(load(count));
        const std::size_t first_life = taken();
        // What is in quarantine is not used again yet.
        free_all(load(count));
        promised(taken() <= first_life + span_list::max_quarantined + max_ahead, "the pages are found");
        const std::size_t second_life = taken();
        free_all(load(count));
        promised(taken() == second_life, "no page is asked for");
        promised(lockfast_audit() == 0, "whole canaries");
        promised(idle() >= count * page && idle() == held(), "what rests is in the statistics");
        if (std::string(policy).find("recycle") == std::string::npos) {
          promised(simulated::bytes_accessible() < count * page, "and inaccessible under freed=trap");
        }
        promised(lockfast_trim() >= count * page && held() == 0 && idle() == 0, "a trim gives all of them back, and says so");
      }));
    }
  }
}

TEST_CASE("what rests is a share of the lock limit, and a shortage of anybody's takes it") {
  check_clean(in_child([] {
    options("hidden=off,rest=keep");
    simulated::set_lock_limit(800 * page);
    free_all(load(700));
    promised(held() <= 200 * page && held() >= 100 * page, "most is given back");
    // Two pages each: the limit has no room beside what rests.
    free_all(load(399, page));
    free_all(load(790));
    void* const grouped = lockfast_malloc(32);
    promised(grouped != nullptr, "a grouped one");
    lockfast_free(grouped);
  }));
}

TEST_CASE("a page that the bound on spare ones refuses is not counted, and a child counts none of its parent's") {
  using lockfast::internal::idle_budget;
  check_clean(in_child([] {
    idle_budget::start(10);
    promised(idle_budget::take(10) && !idle_budget::take(1), "up to the bound");
    idle_budget::give_back(1);
    promised(idle_budget::take(1) && !idle_budget::take(1), "one went, and one came");
    idle_budget::reset_in_child();
    promised(idle_budget::take(10), "all of them");
  }));
}

TEST_CASE("idle=few keeps a few places of each size") {
  check_clean(in_child([] {
    options("idle=few");
    free_all(load(1000));
    promised(held() < 300 * page && idle() == held(), "the others' pages are given back");
  }));
}

TEST_CASE("pages that nobody needs for a while are given back") {
  check_clean(in_child([] {
    free_all(load(1000));
    promised(held() >= 1000 * page, "they rest");
    for (int round = 0; round < 100'000; ++round) lockfast_free(lockfast_malloc_isolated(32));
    promised(held() < 300 * page, "most are given back");
  }));
}

TEST_CASE("pages that the system does not take back are kept beyond the bound, and a trim ends") {
  check_clean(in_child([] {
    options("hidden=off");
    simulated::set_lock_limit(800 * page);
    const auto all = load(700);
    simulated::set_keeps_pages(true);
    free_all(all);
    const std::size_t bytes = held();
    promised(lockfast_trim() == 0 && held() == bytes && bytes >= 700 * page, "kept");
    free_all(load(700));
    promised(held() == bytes, "in the same pages");
    simulated::set_keeps_pages(false);
    promised(lockfast_trim() == bytes && held() == 0, "given back later");
  }));
}

TEST_CASE("a secret too large to rest whose pages the system does not take back is kept, wiped and closed") {
  constexpr std::size_t size = std::size_t{256} << 20;
  check_clean(in_child([] {
    options("hidden=off");
    const std::size_t accessible = simulated::bytes_accessible();
    auto* const secret = static_cast<unsigned char*>(lockfast_malloc_isolated(size));
    prove(secret != nullptr, "a large secret");
    secret[0] = 1;
    simulated::set_keeps_pages(true);
    lockfast_free(secret);
    promised(secret[0] == 0 && held() >= size, "wiped, and there");
    promised(simulated::bytes_accessible() < accessible + size, "closed");
    promised(lockfast_trim() == 0, "a trim ends");
    simulated::set_keeps_pages(false);
    promised(lockfast_trim() >= size && held() == 0, "given back later");
  }));
}

TEST_CASE("where many secrets live, places are opened ahead of the next ones: idle, few, and none that a secret needs") {
  for (const char* const policy : {"rest=keep", "rest=keep,freed=recycle"}) {
    for (const bool hidden : {false, true}) {
      CAPTURE(policy);
      CAPTURE(hidden);
      check_clean(in_child([&] {
        options(policy);
        hidden ? simulated::set_hidden_limit(SIZE_MAX) : simulated::set_hidden_limit(0);
        const bool traps = std::string(policy).find("recycle") == std::string::npos;
        std::vector<void*> all = load(7);
        promised(idle() == 0, "none beside a few secrets");
        std::size_t most = 0;
        for (int count = 0; count < 500; ++count) {
          all.push_back(load(1)[0]);
          if (idle() > most) most = idle();
          promised(idle() <= all.size() * page / 8, "an eighth of those in use at most");
          promised(idle_ones_are(traps ? access::none : access::read_write, all[0]), "inaccessible where freed ones trap");
        }
        promised(most == max_ahead * page, "no more than that");
        // A region's last place is no refusal: in the next region places are opened ahead as before.
        std::size_t openings = 0;
        constexpr int more = 3000;
        for (int count = 0; count < more; ++count) {
          const std::size_t before = held();
          all.push_back(load(1)[0]);
          openings += held() != before;
        }
        const std::size_t ends = more * 2 * page / lockfast::internal::region_unit;
        promised(openings <= more / max_ahead + ends, "as a rule one opening serves sixteen");
        promised(lockfast_audit() == 0, "whole canaries");
        free_all(all);
        promised(lockfast_trim() != 0 && held() == 0, "given back");
      }));
      check_clean(in_child([&] {
        options(policy);
        simulated::set_lock_limit(hidden ? 0 : 100 * page);
        simulated::set_hidden_limit(hidden ? 100 * page : 0);
        const std::vector<void*> all = load(100);
        promised(held() == 100 * page && idle() == 0, "as many as the limit allows");
        promised(lockfast_malloc_isolated(32) == nullptr, "and no more");
        free_all(all);
      }));
    }
  }
}
