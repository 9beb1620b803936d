// handover_bench.cc - how long does it take to free on one thread what another one allocates, for each secret?
#include <array>
#include <atomic>
#include <deque>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bench/comparison.h"
#include "bench/crew.h"
#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t sizes[] = {32, 256, 4096};
constexpr std::size_t pool_size = 4U << 20U;
constexpr int repetitions = 21;

// From one thread to one other, in order. Each side keeps what it last saw of the other's count, so that a cache line goes
// across only when the ring seems full or empty.
class ring {
 public:
  static constexpr std::size_t capacity = 256;  // secrets under way at once, at most

  void put(void* secret) {
    const std::size_t position = writer_.count.load(std::memory_order_relaxed);
    wait_until([&] {
      if (position - writer_.seen < capacity) return true;
      writer_.seen = reader_.count.load(std::memory_order_acquire);
      return position - writer_.seen < capacity;
    });
    places_[position % capacity] = secret;
    writer_.count.store(position + 1, std::memory_order_release);
  }

  [[nodiscard]] void* take() {
    const std::size_t position = reader_.count.load(std::memory_order_relaxed);
    wait_until([&] {
      if (position != reader_.seen) return true;
      reader_.seen = writer_.count.load(std::memory_order_acquire);
      return position != reader_.seen;
    });
    void* const secret = places_[position % capacity];
    reader_.count.store(position + 1, std::memory_order_release);
    return secret;
  }

 private:
  static constexpr std::size_t cache_line = 64;

  struct alignas(2 * cache_line) side {
    std::atomic<std::size_t> count = 0;
    std::size_t seen = 0;  // of the other side's count
  };

  // The other side is at work, unless the system has taken its processor away: then ours is of use to somebody.
  template <class Condition>
  static void wait_until(const Condition& holds) {
    constexpr int patience = 1000;
    for (int tries = 0; !holds(); ++tries) {
      if (tries > patience) std::this_thread::yield();
    }
  }

  side writer_;
  side reader_;
  alignas(2 * cache_line) std::array<void*, capacity> places_;
};

struct handovers {
  std::size_t size;
  std::uint64_t count;  // 0 asks whether the subject serves this size
};

constexpr double not_served = 1e9;  // seconds

double time_of(const subject& of, const handovers& request) {
  if (request.count == 0) return serves(of, request.size) ? 0 : not_served;
  static crew threads(2);
  static ring between;
  return threads.run([&](std::size_t index) {
    for (std::uint64_t i = 0; i < request.count; ++i) {
      if (index == 0) {
        void* const secret = of.allocate(request.size);
        if (secret == nullptr) give_up("an allocation was refused");
        touch(secret, request.size);
        between.put(secret);
      } else {
        of.deallocate(between.take(), request.size);
      }
    }
  });
}

std::string name(const subject& of, std::size_t size) { return size_class(size) + "/" + of.name; }

void print(const medians& result, std::span<const subject> subjects) {
  std::vector<std::string> columns;
  for (const std::size_t size : sizes) columns.push_back(size_class(size));
  const comparison all(result, subjects, columns,
                       [](const subject& of, std::size_t column) { return name(of, sizes[column]); });
  print_heading("Allocate and touch a secret on one thread, free it on another; at most " + std::to_string(ring::capacity) +
                    " are under way",
                result);
  all.print_times("Time for each secret; the loop alone hands over a pointer");
  all.print_beyond_loop("Beyond what the loop alone takes");
  all.print_ratios("The loop's time included");
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  std::vector<subject> subjects = grouped_allocators(pool_size);
  subjects.push_back(loop_alone());
  std::deque<worker<handovers, double>> workers;
  for (const std::size_t size : sizes) {
    for (subject& each : subjects) {
      auto& runner =
          workers.emplace_back([&each] { start(each); }, [&each](const handovers& request) { return time_of(each, request); });
      if (runner.ask({size, 0}) == not_served) continue;
      medians::add(name(each, size), [&runner, size](std::uint64_t count) { return runner.ask({size, count}); });
    }
  }
  print(medians::measure(argc, argv, repetitions), subjects);
}
