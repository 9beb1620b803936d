// address_space_test.cc - little address space, or little memory, over the simulated host: regions as large as there is room for,
// and no page opened of a secret that there is no memory for.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <random>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;

namespace {

using compartment = struct lockfast_compartment;

constexpr std::size_t kibibyte = 1024;

struct held {
  unsigned char* secret;
  std::size_t size;
  unsigned char value;
};

void* make(compartment* keys, unsigned kind, std::size_t size) {
  if (kind == 0) return lockfast_malloc_isolated(size);
  return kind == 1 ? lockfast_malloc(size) : lockfast_compartment_malloc(keys, size);
}

bool intact(const held& one) {
  for (std::size_t at = 0; at < one.size; ++at) {
    if (one.secret[at] != one.value) return false;
  }
  return lockfast_check(one.secret) == 0 && lockfast_size(one.secret) == one.size;
}

}  // namespace

TEST_CASE("one secret of each placement fits a few hundred kilobytes of address space") {
  for (const std::size_t room : {200 * kibibyte, 400 * kibibyte, 1024 * kibibyte, 8192 * kibibyte - 1}) {
    for (unsigned kind = 0; kind < 3; ++kind) {
      CAPTURE(room);
      CAPTURE(kind);
      check_clean(in_child([&] {
        const std::size_t before = simulated::bytes_reserved();  // by tests that ran in this process
        simulated::set_address_limit(before + room);
        compartment* const keys = kind == 2 ? lockfast_compartment_create() : nullptr;
        promised(make(keys, kind, 32) != nullptr, "a secret");
        promised(simulated::bytes_reserved() <= before + room, "within the room");
      }));
    }
  }
}

TEST_CASE("a churn of secrets in little address space keeps every one of them whole, and refuses with ENOMEM") {
  for (const std::size_t room : {1024 * kibibyte, 2048 * kibibyte, 5000 * kibibyte}) {
    CAPTURE(room);
    check_clean(in_child([&] {
      const std::size_t before = simulated::bytes_reserved();
      simulated::set_address_limit(before + room);
      compartment* const keys = lockfast_compartment_create();
      std::mt19937 random(11);
      std::vector<held> live;
      std::size_t refused = 0;
      std::size_t made = 0;
      for (int round = 0; round < 9000; ++round) {
        // It fills up, then empties, and again.
        const bool grows = round / 1500 % 2 == 0 ? random() % 4 != 0 : random() % 4 == 0;
        if (grows) {
          static constexpr std::size_t sizes[] = {1, 16, 32, 100, 500, 2000, 4096, 9000, 16384, 40000};
          const std::size_t size = sizes[random() % (sizeof sizes / sizeof *sizes)];
          auto* const secret = static_cast<unsigned char*>(make(keys, static_cast<unsigned>(random() % 3), size));
          if (secret == nullptr) {
            promised(errno == ENOMEM, "ENOMEM");
            ++refused;
            continue;
          }
          ++made;
          live.push_back({secret, size, static_cast<unsigned char>(random())});
          std::memset(secret, live.back().value, size);
        } else if (!live.empty()) {
          std::swap(live[random() % live.size()], live.back());
          promised(intact(live.back()), "whole");
          lockfast_free(live.back().secret);
          live.pop_back();
        }
        if (round % 100 == 0) promised(lockfast_audit() == 0, "no damage");
        promised(simulated::bytes_reserved() <= before + room, "within the room");
      }
      promised(made > 500 && refused > 0, "both happened");
      for (const held& one : live) {
        promised(intact(one), "whole");
        lockfast_free(one.secret);
      }
      // With room again, regions are whole again, and all that was made in the small ones is found still.
      void* const small = lockfast_malloc(32);
      prove(small != nullptr, "a secret");
      simulated::set_address_limit(SIZE_MAX);
      for (int count = 0; count < 3000; ++count) prove(lockfast_malloc_isolated(32) != nullptr, "a secret");
      promised(lockfast_size(small) == 32 && lockfast_audit() == 0, "found");
    }));
  }
}

TEST_CASE("a large secret that the machine has no memory for is refused before a page of it is opened, hidden or locked") {
  constexpr std::size_t size = 64 * 1024 * kibibyte;
  for (const bool hides : {false, true}) {
    for (unsigned kind = 0; kind < 3; ++kind) {
      CAPTURE(hides);
      CAPTURE(kind);
      check_clean(in_child([&] {
        prove(set_variable("LOCKFAST_OPTIONS", "lock=preferred"), "the variable");
        if (hides) simulated::set_hidden_limit(SIZE_MAX);
        compartment* const keys = kind == 2 ? lockfast_compartment_create() : nullptr;
        void* const small = make(keys, kind, 32);
        promised(small != nullptr, "a small one");
        simulated::set_memory_available(size);
        const std::size_t before = simulated::bytes_accessible();
        promised(make(keys, kind, size) == nullptr && errno == ENOMEM, "ENOMEM");
        promised(simulated::bytes_accessible() == before, "nothing opened");
        // Small ones are not weighed.
        simulated::set_memory_available(0);
        promised(make(keys, kind, 4096) != nullptr, "a small one");
        simulated::set_memory_available(2 * size);
        promised(make(keys, kind, size) != nullptr, "a large one");
      }));
    }
  }
}
