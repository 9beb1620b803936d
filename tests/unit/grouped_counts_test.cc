// grouped_counts_test.cc - what the statistics say of grouped secrets, beside three counts that know nothing of each other: what the
// program asked for, what the slots' generations say that they had, and which slots are live.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "allocator/grouped/slab_region.h"
#include "allocator/pages/region.h"
#include "support/check.h"
#include "support/child.h"

using namespace lockfast::internal;

namespace {

// Of the slots of all slabs that a secret of the program ever lay in. A slot's generation counts its tenants (slot.h).
class slabs {
 public:
  void see(const void* secret) {
    slab* const in = static_cast<slab_region*>(region::holding(secret))->at(secret);
    if (std::find(seen_.begin(), seen_.end(), in) == seen_.end()) seen_.push_back(in);
  }
  struct counts {
    std::uint64_t tenants = 0;
    std::size_t live = 0;
    std::size_t bytes = 0;
  };
  [[nodiscard]] counts count() const {
    counts found;
    for (const slab* const one : seen_) {
      for (std::size_t index = 0; index < one->slot_count(); ++index) {
        const slot::header known = one->header(index);
        found.tenants += known.bits() >> 32;
        found.live += known.is_live();
        if (known.is_live()) found.bytes += one->size(index);
      }
    }
    return found;
  }

 private:
  std::vector<slab*> seen_;
};

// The program's own account.
struct account {
  slabs where;
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::size_t bytes = 0;
  std::vector<void*> live;

  void allocated(void* secret) {
    promised(secret != nullptr, "a secret");
    ++allocations;
    bytes += lockfast_size(secret);
    where.see(secret);
    live.push_back(secret);
  }
  void* taken_out(std::size_t which) {
    std::swap(live[which % live.size()], live.back());
    void* const secret = live.back();
    live.pop_back();
    ++frees;
    bytes -= lockfast_size(secret);
    return secret;
  }
  void agrees() const {
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    const auto slots = where.count();
    promised(slots.tenants == allocations, "the generations count what was allocated");
    promised(now.allocations == allocations, "allocations");
    promised(now.frees == frees, "frees");
    promised(now.live == live.size() && now.live_grouped == live.size() && slots.live == live.size(), "live");
    promised(now.bytes_live == bytes && slots.bytes == bytes, "their bytes");
  }
};

void churn(account& mine, std::mt19937& random, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    // Waves, so that thread caches run full and dry; of every class, most of them small.
    const bool allocates = mine.live.empty() || random() % 8 < (round / 200 % 2 == 0 ? 5U : 3U);
    if (allocates) {
      const std::size_t most = std::size_t{1} << (4 + random() % 11);
      mine.allocated(random() % 16 == 0 ? lockfast_aligned_alloc(64, 1 + random() % most) : lockfast_malloc(random() % most));
    } else {
      lockfast_free(mine.taken_out(random()));
    }
  }
}

}  // namespace

TEST_CASE("the statistics count each allocation and each release of a grouped secret, whoever does it and wherever its slot goes") {
  check_clean(in_child([] {
    std::mt19937 random(11);
    account all;
    churn(all, random, 6000);
    all.agrees();
    // Another thread's, which end with a thread cache that is given back; some of its secrets it did not make.
    for (int thread = 0; thread < 3; ++thread) {
      std::thread([&] { churn(all, random, 3000); }).join();
      all.agrees();
    }
    // A compartment's, whose slots are in no thread cache; half are gone with it.
    struct lockfast_compartment* const within = lockfast_compartment_create();
    promised(within != nullptr, "a compartment");
    const std::size_t outside = all.live.size();
    for (std::size_t size = 1; size < 20000; size += 400) all.allocated(lockfast_compartment_malloc(within, size));
    all.agrees();
    while (all.live.size() > outside + 20) {
      void* const secret = all.live[outside];
      all.live.erase(all.live.begin() + static_cast<std::ptrdiff_t>(outside));
      ++all.frees;
      all.bytes -= lockfast_size(secret);
      lockfast_free(secret);
    }
    all.agrees();
    while (all.live.size() > outside) {
      all.bytes -= lockfast_size(all.live.back());
      all.live.pop_back();
      ++all.frees;
    }
    lockfast_compartment_destroy(within);
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    promised(now.allocations == all.allocations && now.frees == all.frees && now.live == all.live.size(), "without it");
  }));
}

TEST_CASE("a release is counted where a thread has no cache, and where its slot waits in none") {
  check_clean(in_child([] {
    std::mt19937 random(12);
    account all;
    churn(all, random, 100);
    // A key that is made after the allocator's own has its destructor called after that one's: at the end of a thread, whose cache is
    // given back by then.
    pthread_key_t key = {};
    const auto free_all = [](void* of) {
      auto& mine = *static_cast<account*>(of);
      while (!mine.live.empty()) lockfast_free(mine.taken_out(0));
      mine.allocated(lockfast_malloc(40));
    };
    prove(pthread_key_create(&key, free_all) == 0, "a key");
    std::thread([&] {
      churn(all, random, 500);
      prove(pthread_setspecific(key, &all) == 0, "its value");
    }).join();
    promised(all.live.size() == 1, "freed at the end of the thread");
    all.agrees();
    churn(all, random, 2000);
    (void)lockfast_trim();
    while (!all.live.empty()) lockfast_free(all.taken_out(random()));
    (void)lockfast_trim();
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    promised(now.allocations == all.allocations && now.frees == all.frees && now.live == 0, "all counted");
  }));
}
