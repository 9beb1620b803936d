// grouped_churn_test.cc - the whole life of a churn of grouped secrets, over the simulated host: which pages are unlocked when,
// and how many calls to the system it takes.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;

namespace {

using compartment = struct lockfast_compartment;

constexpr std::size_t max_grouped = 16384;

// ---- Every live secret, and what the observer of unlocks looks up --------------------------------------------------------

std::map<const std::byte*, std::size_t> live;
std::size_t unlocks = 0;

// No live secret lies in pages that are about to be unlocked or released.
void observe(const std::byte* address, std::size_t size) {
  ++unlocks;
  auto after = live.upper_bound(address + size - 1);
  if (after == live.begin()) return;
  const auto& [last, last_size] = *std::prev(after);
  promised(last + std::max<std::size_t>(last_size, 1) <= address, "no page that holds a live secret is unlocked");
}

std::byte* admitted(void* made, std::size_t size) {
  auto* const secret = static_cast<std::byte*>(made);
  promised(secret != nullptr, "a secret");
  std::memset(secret, 'x', size);
  live.emplace(secret, size);
  return secret;
}

void free_one(std::byte* secret) {
  live.erase(secret);
  lockfast_free(secret);
}

// A live secret chosen by chance.
std::byte* chosen(std::mt19937& random) {
  auto at = live.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random() % live.size()));
  return const_cast<std::byte*>(at->first);
}

std::size_t any_size(std::mt19937& random) {
  switch (random() % 10) {
    case 0: return random() % (3 * max_grouped);
    case 1:
    case 2: return random() % (max_grouped + 1);
    case 3: return 32;
    default: return random() % 300;
  }
}

// What happens in a program's life: secrets of all kinds come, grow, shrink and go, and pages are given back now and then.
void churn(int rounds, std::size_t max_live) {
  std::mt19937 random(5);
  std::vector<std::pair<compartment*, std::vector<std::byte*>>> compartments;
  for (int round = 0; round < rounds; ++round) {
    // Waves: many live, then few.
    const std::size_t wanted = round / 2000 % 2 == 0 ? max_live : max_live / 20;
    while (live.size() > wanted) {
      std::byte* const secret = chosen(random);
      for (auto& [of, secrets] : compartments) std::erase(secrets, secret);
      free_one(secret);
    }
    const std::size_t size = any_size(random);
    switch (random() % 16) {
      case 0: {
        if (live.empty()) break;
        std::byte* const secret = chosen(random);
        live.erase(secret);
        std::byte* const moved = admitted(lockfast_realloc(secret, size), size);
        for (auto& [of, secrets] : compartments) std::ranges::replace(secrets, secret, moved);
        break;
      }
      case 1: admitted(lockfast_calloc(1, size), size); break;
      case 2: admitted(lockfast_aligned_alloc(std::size_t{1} << random() % 12, size), size); break;
      case 3: admitted(lockfast_malloc_isolated(size), size); break;
      case 4:
        if (compartments.size() < 6) compartments.emplace_back(lockfast_compartment_create(), std::vector<std::byte*>());
        promised(compartments.back().first != nullptr, "a compartment");
        break;
      case 5:
      case 6:
        if (!compartments.empty()) {
          auto& [of, secrets] = compartments[random() % compartments.size()];
          secrets.push_back(admitted(lockfast_compartment_malloc(of, size), size));
        }
        break;
      case 7:
        if (round % 40 == 0 && !compartments.empty()) {
          for (const std::byte* const secret : compartments.back().second) live.erase(secret);
          lockfast_compartment_destroy(compartments.back().first);
          compartments.pop_back();
        }
        break;
      default: admitted(lockfast_malloc(size), size);
    }
    if (random() % 1000 == 0) (void)lockfast_trim();
    if (random() % 1000 == 0) promised(lockfast_audit() == 0, "whole canaries");
  }
  for (const auto& [of, secrets] : compartments) {
    for (const std::byte* const secret : secrets) live.erase(secret);
    lockfast_compartment_destroy(of);
  }
  while (!live.empty()) free_one(const_cast<std::byte*>(live.begin()->first));
  (void)lockfast_trim();
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  promised(now.live == 0 && now.bytes_locked == 0 && simulated::bytes_locked() == 0, "all is given back");
}

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

// ---- Counts ----------------------------------------------------------------------------------------------------------------

void pair(std::size_t size) {
  void* const secret = lockfast_malloc(size);
  promised(secret != nullptr, "a secret");
  lockfast_free(secret);
}

}  // namespace

TEST_CASE("over the whole life of a churn no page that holds a live secret is unlocked or released") {
  for (const char* const policy : {"freed=trap", "freed=recycle"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      simulated::reset();
      simulated::observe_unlocks(observe);
      churn(30000, 600);
      promised(unlocks > 100, "pages were unlocked");
    }));
  }
}

TEST_CASE("a thread cache is drained however much it holds") {
  check_clean(in_child([] {
    simulated::reset();
    for (std::size_t freed = 0; freed < 140; ++freed) {
      std::vector<void*> held;
      for (std::size_t at = 0; at < 150; ++at) held.push_back(lockfast_malloc(32));
      for (std::size_t at = 0; at < 150; ++at) {
        lockfast_free(held[at]);
        if (at == freed) (void)lockfast_trim();
      }
      (void)lockfast_trim();
      struct lockfast_statistics now;
      lockfast_get_statistics(&now);
      promised(now.live == 0 && simulated::bytes_locked() == 0, "nothing is held back");
    }
  }));
}

TEST_CASE("nor at a lock limit, where the pages of one size are given up for another's") {
  check_clean(in_child([] {
    options("lock=preferred");
    simulated::reset();
    simulated::set_lock_limit(std::size_t{1} << 20);
    simulated::observe_unlocks(observe);
    churn(20000, 300);
    promised(unlocks > 100, "pages were unlocked");
  }));
  check_clean(in_child([] {
    // A required lock: what is refused is refused, and what is live stays locked.
    simulated::reset();
    simulated::set_lock_limit(64 * 4096);
    simulated::observe_unlocks(observe);
    std::mt19937 random(9);
    std::size_t refused = 0;
    for (int round = 0; round < 20000; ++round) {
      const std::size_t size = any_size(random);
      void* const made = lockfast_malloc(size);
      if (made != nullptr) {
        admitted(made, size);
        continue;
      }
      ++refused;
      for (std::size_t count = live.size() / 3 + 1; count > 0 && !live.empty(); --count) free_one(chosen(random));
      if (live.empty()) admitted(lockfast_malloc(32), 32);
    }
    promised(refused > 50 && unlocks > 50, "the limit was felt");
    promised(simulated::bytes_locked() <= 64 * 4096, "the limit was kept");
  }));
}

TEST_CASE("the observer of unlocks sees an unlock of a live secret's page") {
  const ending end = in_child([] {
    live.emplace(reinterpret_cast<const std::byte*>(0x10010), std::size_t{32});
    observe(reinterpret_cast<const std::byte*>(0x10000), 4096);
  });
  CHECK(end.status == 1);
  CHECK(in_child([] {
          live.emplace(reinterpret_cast<const std::byte*>(0x10010), std::size_t{32});
          observe(reinterpret_cast<const std::byte*>(0x11000), 4096);
          observe(reinterpret_cast<const std::byte*>(0xf000), 4096);
        }).clean());
}

TEST_CASE("a warm pair of a grouped secret makes no call to the system, at every size, under either policy") {
  for (const char* const policy : {"freed=trap", "freed=recycle"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      for (const std::size_t size : {0U, 1U, 16U, 32U, 64U, 100U, 500U, 1024U, 4096U, 9000U, 16384U}) {
        for (int round = 0; round < 2000; ++round) pair(size);
        const std::size_t before = simulated::total_count();
        for (int round = 0; round < 5000; ++round) pair(size);
        promised(simulated::total_count() == before, "no call");
      }
    }));
  }
}

TEST_CASE("a warm working set with random churn makes no call to the system") {
  check_clean(in_child([] {
    std::mt19937 random(1);
    std::vector<void*> set(4000, nullptr);
    const auto exchange = [&] {
      void*& one = set[random() % set.size()];
      lockfast_free(one);
      one = lockfast_malloc(random() % 2 == 0 ? 32 : 200);
      promised(one != nullptr, "a secret");
    };
    for (void*& one : set) one = lockfast_malloc(200);
    for (void*& one : set) {
      lockfast_free(one);
      one = lockfast_malloc(32);
    }
    for (int round = 0; round < 60000; ++round) exchange();
    const std::size_t before = simulated::total_count();
    for (int round = 0; round < 60000; ++round) exchange();
    promised(simulated::total_count() == before, "no call");
    for (void* const one : set) lockfast_free(one);
  }));
}

TEST_CASE("a realloc that stays where it is makes no call to the system") {
  check_clean(in_child([] {
    void* secret = lockfast_malloc(100);
    prove(secret != nullptr, "a secret");
    const std::size_t before = simulated::total_count();
    for (const std::size_t size : {99U, 98U, 100U, 97U, 99U}) {
      void* const moved = lockfast_realloc(secret, size);
      promised(moved == secret, "it stays");
    }
    promised(simulated::total_count() == before, "no call");
    lockfast_free(secret);
  }));
}

TEST_CASE("locked bytes follow the live secrets: 32 bytes cost at most 96") {
  check_clean(in_child([] {
    constexpr std::size_t count = 50000;
    std::vector<void*> all;
    for (std::size_t made = 0; made < count; ++made) {
      all.push_back(lockfast_malloc(32));
      promised(all.back() != nullptr, "a secret");
    }
    promised(simulated::bytes_locked() <= 96 * count, "at most 96 locked bytes each");
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    promised(now.bytes_locked == simulated::bytes_locked(), "the statistics are the system's");
    for (void* const secret : all) lockfast_free(secret);
  }));
}
