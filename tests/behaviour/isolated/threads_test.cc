// threads_test.cc - any number of threads, each freeing what another allocated.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

TEST_CASE("secrets that pass between threads keep their contents, and every one is counted") {
  struct lockfast_statistics before;
  lockfast_get_statistics(&before);
  std::mutex mutex;
  std::vector<std::pair<unsigned char*, std::size_t>> shelf;
  std::atomic<bool> whole = true;
  constexpr int rounds = 3000;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int round = 0; round < rounds; ++round) {
      const std::size_t size = 1 + random() % (random() % 50 == 0 ? 200000 : 600);
      auto* const mine = static_cast<unsigned char*>(lockfast_malloc_isolated(size));
      if (mine == nullptr) continue;
      std::memset(mine, static_cast<int>(size & 0xff), size);
      if (round % 4 == 0) (void)lockfast_protect(mine, LOCKFAST_READONLY);
      std::pair<unsigned char*, std::size_t> other = {nullptr, 0};
      {
        const std::scoped_lock held(mutex);
        shelf.emplace_back(mine, size);
        const std::size_t chosen = random() % shelf.size();
        if (shelf.size() > 30) {
          other = shelf[chosen];
          shelf[chosen] = shelf.back();
          shelf.pop_back();
        }
      }
      if (other.first == nullptr) continue;
      const auto expected = static_cast<unsigned char>(other.second & 0xff);
      if (other.first[0] != expected || other.first[other.second - 1] != expected) whole = false;
      if (lockfast_size(other.first) != other.second) whole = false;
      lockfast_free(other.first);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(work, seed);
  for (int count = 0; count < 20; ++count) CHECK(lockfast_audit() == 0);
  for (std::thread& one : threads) one.join();
  CHECK(whole);
  for (const auto& [secret, size] : shelf) lockfast_free(secret);
  struct lockfast_statistics after;
  lockfast_get_statistics(&after);
  CHECK(after.live == before.live);
  CHECK(after.allocations - before.allocations == after.frees - before.frees);
  CHECK(after.allocations - before.allocations >= 4 * rounds * 9 / 10);
}
