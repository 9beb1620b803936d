// threads_test.cc - any number of threads at once: each block is one thread's, whoever frees it.
#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "block.h"

namespace {

constexpr unsigned thread_count = 8;

template <class Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < thread_count; ++number) threads.emplace_back(body, number);
  for (std::thread& each : threads) each.join();
}

bool filled(const unsigned char* first, std::size_t size, unsigned char byte) {
  return std::all_of(first, first + size, [=](unsigned char each) { return each == byte; });
}

// One secret's life; whether each step did what it promises.
bool one_life(std::size_t size, unsigned char byte) {
  auto* secret = static_cast<unsigned char*>(sodium_malloc(size));
  if (secret == nullptr || !filled(secret, size, fresh_byte)) return false;
  std::memset(secret, byte, size);
  bool well = true;
  if (blocks_are_isolated()) {
    well = sodium_mprotect_noaccess(secret) == 0;
    well = sodium_mprotect_readonly(secret) == 0 && well && filled(secret, size, byte);
    well = sodium_mprotect_readwrite(secret) == 0 && well;
  }
  secret[0] = byte;
  well = well && filled(secret, size, byte);
  sodium_free(secret);
  return well;
}

}  // namespace

TEST_CASE("threads that allocate, protect and free at once do not disturb each other") {
  (void)asked_of_placement("an access of its own");
  std::atomic<int> wrong = 0;
  in_threads([&](unsigned number) {
    std::mt19937 random(number);
    for (int round = 0; round < 400; ++round) {
      if (!one_life(1 + random() % 9000, static_cast<unsigned char>(number + 1))) ++wrong;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("threads that free each other's blocks do not disturb each other") {
  struct parcel {
    unsigned char* first;
    std::size_t size;
    unsigned char byte;
  };
  std::mutex mutex;
  std::vector<parcel> parcels;
  std::atomic<int> wrong = 0;
  in_threads([&](unsigned number) {
    std::mt19937 random(number);
    for (int round = 0; round < 400; ++round) {
      const std::size_t size = random() % 3000;
      auto* first = static_cast<unsigned char*>(sodium_malloc(size));
      if (first == nullptr) {
        ++wrong;
        continue;
      }
      std::memset(first, static_cast<int>(number + 1), size);
      parcel taken{};
      {
        const std::lock_guard hold(mutex);
        parcels.push_back({first, size, static_cast<unsigned char>(number + 1)});
        std::swap(parcels[random() % parcels.size()], parcels.back());
        taken = parcels.back();
        parcels.pop_back();
      }
      if (!filled(taken.first, taken.size, taken.byte)) ++wrong;
      sodium_free(taken.first);
    }
  });
  CHECK(parcels.empty());
  CHECK(wrong == 0);
}

TEST_CASE("threads that lock buffers of one page do not disturb each other") {
  alignas(4096) static char page[4096];
  std::atomic<int> wrong = 0;
  in_threads([&](unsigned number) {
    char* own = page + number * 100;
    for (int round = 0; round < 200; ++round) {
      if (sodium_mlock(own, 100) != 0) ++wrong;
      std::memset(own, 'a', 100);
      if (sodium_munlock(own, 100) != 0) ++wrong;
      if (std::count(own, own + 100, '\0') != 100) ++wrong;
    }
  });
  CHECK(wrong == 0);
  if (locks_are_real()) CHECK_FALSE(state_of(page).locked);
}
