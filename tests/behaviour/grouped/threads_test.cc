// threads_test.cc - any number of threads, each freeing what another allocated, ending whenever they like.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "behaviour/grouped.h"
#include "support/page_state.h"
#include "support/reach.h"

namespace {

#ifdef __has_feature  // clang
constexpr bool thread_sanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool thread_sanitizer = false;
#endif

struct parcel {
  unsigned char* first;
  std::size_t size;
  unsigned char byte;
};

bool whole(const parcel& one) {
  return lockfast_size(one.first) == one.size &&
         std::all_of(one.first, one.first + one.size, [&](unsigned char each) { return each == one.byte; });
}

// A shelf that any thread puts parcels on and takes parcels from.
class shelf {
 public:
  parcel exchange(const parcel& mine, std::mt19937& random) {
    const std::scoped_lock held(mutex_);
    parcels_.push_back(mine);
    if (parcels_.size() < 200) return {};
    std::swap(parcels_[random() % parcels_.size()], parcels_.back());
    const parcel taken = parcels_.back();
    parcels_.pop_back();
    return taken;
  }
  void clear() {
    for (const parcel& one : parcels_) {
      promised(whole(one), "a parcel at the end");
      lockfast_free(one.first);
    }
    parcels_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<parcel> parcels_;
};

void churn(shelf& with, unsigned seed, int rounds) {
  std::mt19937 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const std::size_t size = random() % (random() % 30 == 0 ? 20000 : 400);
    const auto byte = static_cast<unsigned char>(1 + random() % 200);
    auto* first = static_cast<unsigned char*>(lockfast_malloc(size));
    promised(first != nullptr, "a secret");
    std::memset(first, byte, size);
    parcel mine = {first, size, byte};
    if (round % 10 == 0) {
      const std::size_t wanted = random() % 400;
      mine.first = static_cast<unsigned char*>(lockfast_realloc(first, wanted));
      promised(mine.first != nullptr, "a secret of another size");
      mine.size = wanted;
      std::memset(mine.first, byte, wanted);
    }
    const parcel taken = with.exchange(mine, random);
    if (taken.first == nullptr) continue;
    promised(whole(taken), "another thread's secret is whole");
    lockfast_free(taken.first);
  }
}

// Nothing is live: all goes back when it is asked for.
void promise_nothing_left() {
  const auto now = statistics();
  promised(now.live == 0 && now.bytes_live == 0 && now.allocations == now.frees, "none is live");
  (void)lockfast_trim();
  promised(statistics().bytes_locked == 0, "nothing is locked for nothing");
}

}  // namespace

TEST_CASE("secrets that pass between threads keep their bytes, while threads end and others begin") {
  check_clean(in_child([] {
    shelf common_shelf;
    std::atomic<bool> done = false;
    std::thread auditor([&] {
      while (!done) {
        promised(lockfast_audit() == 0, "whole canaries, at any moment");
        (void)statistics();
        (void)lockfast_trim();
      }
    });
    for (unsigned generation = 0; generation < 6; ++generation) {
      std::vector<std::thread> threads;
      for (unsigned count = 0; count < 6; ++count)
        threads.emplace_back(churn, std::ref(common_shelf), generation * 10 + count, 800);
      for (std::thread& one : threads) one.join();
    }
    done = true;
    auditor.join();
    common_shelf.clear();
    promise_nothing_left();
  }));
}

TEST_CASE("a thread's cache is drained when it ends, so that its slots serve others and its slabs go back") {
  check_clean(in_child([] {
    std::size_t most = 0;
    for (int generation = 0; generation < 300; ++generation) {
      std::thread([] {
        std::vector<char*> mine;
        for (int count = 0; count < 100; ++count) mine.push_back(secret_of(1000));
        for (char* const secret : mine) lockfast_free(secret);
      }).join();
      if (generation == 20) most = statistics().bytes_locked;
    }
    // What three hundred threads left behind is about what twenty left.
    promised(statistics().bytes_locked <= 2 * most + (std::size_t{1} << 20), "no slot is lost with its thread");
    promise_nothing_left();
  }));
}

TEST_CASE("a thread that ends while others hold its secrets leaves them whole") {
  check_clean(in_child([] {
    std::vector<parcel> kept;
    for (unsigned generation = 0; generation < 40; ++generation) {
      std::thread([&] {
        for (std::size_t count = 0; count < 30; ++count) {
          const std::size_t size = 1 + count * 13;
          const auto byte = static_cast<unsigned char>(generation + count);
          auto* const first = static_cast<unsigned char*>(lockfast_malloc(size));
          prove(first != nullptr, "a secret");
          std::memset(first, byte, size);
          kept.push_back({first, size, byte});
        }
      }).join();
    }
    promised(lockfast_audit() == 0, "whole canaries");
    for (const parcel& one : kept) promised(whole(one), "its bytes");
    for (const parcel& one : kept) lockfast_free(one.first);
    promise_nothing_left();
  }));
}

TEST_CASE("threads whose first deed is a free, of a secret or of nothing, find no thread cache and leave none to each other") {
  check_clean(in_child([] {
    for (int round = 0; round < 5; ++round) {
      std::vector<char*> all;
      for (std::size_t count = 0; count < 400; ++count) all.push_back(secret_of(count * 7 % 200));
      std::atomic<std::size_t> next = 0;
      std::vector<std::thread> busy;
      for (int count = 0; count < 4; ++count) {
        busy.emplace_back([&] {
          lockfast_free(nullptr);
          for (std::size_t at = next++; at < all.size(); at = next++) lockfast_free(all[at]);
          lockfast_trim();
          lockfast_free(nullptr);
        });
      }
      for (std::thread& one : busy) one.join();
      // The region that this thread remembers is empty now.
      lockfast_free(secret_of(16));
      lockfast_trim();
      lockfast_free(nullptr);
    }
    promise_nothing_left();
  }));
}

TEST_CASE("what a thread frees and allocates in its last destructors is not lost") {
  if (thread_sanitizer) {
    MESSAGE("skipped: the thread sanitizer has forgotten a thread before its last destructors run");
    return;
  }
  static pthread_key_t key;
  static std::atomic<int> runs = 0;
  check_clean(in_child([] {
    // Created before the library's own key may be, and run again after it, as often as the system allows.
    const auto destructor = [](void* secret) {
      ++runs;
      lockfast_free(secret);
      std::vector<char*> some;
      for (int count = 0; count < 50; ++count) some.push_back(secret_of(64));
      for (char* const one : some) lockfast_free(one);
      if (runs % 4 != 0) (void)pthread_setspecific(key, secret_of(32));
    };
    prove(pthread_key_create(&key, destructor) == 0, "a key");
    for (int count = 0; count < 100; ++count) {
      std::thread([] { prove(pthread_setspecific(key, secret_of(32)) == 0, "a value"); }).join();
    }
    prove(runs == 400, "four runs for each thread");
    promise_nothing_left();
  }));
}

TEST_CASE("one thread allocates and another frees: memory stays bounded") {
  check_clean(in_child([] {
    constexpr int total = 60000;
    std::mutex mutex;
    std::condition_variable moved;
    std::deque<char*> belt;
    std::thread consumer([&] {
      for (int count = 0; count < total; ++count) {
        char* secret = nullptr;
        {
          std::unique_lock held(mutex);
          moved.wait(held, [&] { return !belt.empty(); });
          secret = belt.front();
          belt.pop_front();
        }
        moved.notify_all();
        promised(filled(secret, 64, 'x'), "what the producer wrote");
        lockfast_free(secret);
      }
    });
    for (int count = 0; count < total; ++count) {
      char* const secret = secret_of(64);
      {
        std::unique_lock held(mutex);
        moved.wait(held, [&] { return belt.size() < 100; });
        belt.push_back(secret);
      }
      moved.notify_all();
    }
    consumer.join();
    promised(statistics().bytes_locked <= std::size_t{2} << 20, "a hundred live secrets need no more");
    promise_nothing_left();
  }));
}

TEST_CASE("no byte of a secret is left when free returns, whichever thread frees it") {
  check_clean(in_child([] {
    for (int round = 0; round < 100; ++round) {
      char* const secret = secret_of(200);
      char left[200];
      std::thread([&] {
        lockfast_free(secret);
        promised(!peek(secret, 200, left) || filled(left, 200, 0), "wiped, in that thread's cache");
      }).join();
      promised(!peek(secret, 200, left) || filled(left, 200, 0), "wiped, after the thread's end");
    }
    promise_nothing_left();
  }));
}

TEST_CASE("an audit calls no secret damaged that another thread frees or makes meanwhile") {
  check_clean(in_child([] {
    std::atomic<bool> ended = false;
    std::thread other([&] {
      while (!ended) {
        for (const std::size_t size : {32U, 40U, 1000U}) lockfast_free(lockfast_malloc(size));
      }
    });
    for (int round = 0; round < 5000; ++round) promised(lockfast_audit() == 0, "none is damaged");
    ended = true;
    other.join();
  }));
}
