// pair_bench.cc - how long does it take to allocate a secret and free it again, by size, next to libsodium?
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

struct pairs {
  std::size_t size;
  std::size_t threads;
  std::uint64_t count;  // of each thread
};

struct row {
  std::size_t size;
  std::size_t threads;
};

constexpr std::size_t kibibyte = 1024;
constexpr row rows[] = {{16, 1}, {32, 1}, {256, 1}, {4096, 1}, {16 * kibibyte, 1}, {64 * kibibyte, 1}, {kibibyte * kibibyte, 1},
                        {32, 2}};

void run(const subject& of, std::size_t size, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    void* secret = of.allocate(size);
    if (secret == nullptr) give_up("an allocation was refused");
    of.deallocate(secret, size);
  }
}

// Seconds from the moment when all threads are there until the last one is done: what they wait for each other counts.
double time_of(const subject& of, const pairs& request) {
  using clock = std::chrono::steady_clock;
  std::vector<clock::time_point> starts(request.threads);
  std::vector<clock::time_point> ends(request.threads);
  std::barrier all_there(static_cast<std::ptrdiff_t>(request.threads));
  const auto work = [&](std::size_t index) {
    use_processor(index);
    all_there.arrive_and_wait();
    starts[index] = clock::now();
    run(of, request.size, request.count);
    ends[index] = clock::now();
  };
  std::vector<std::thread> others;
  for (std::size_t index = 1; index < request.threads; ++index) others.emplace_back(work, index);
  work(0);
  for (std::thread& other : others) other.join();
  return std::chrono::duration<double>(*std::ranges::max_element(ends) - *std::ranges::min_element(starts)).count();
}

std::string title(const row& of) {
  return size_class(of.size) + (of.threads == 1 ? "" : ", " + std::to_string(of.threads) + " threads");
}

std::string name(const row& of, const subject& by) { return title(of) + "/" + by.name; }

void print(const medians& result, const std::vector<subject>& subjects) {
  const bool compares = subjects.front().name == "libsodium";
  std::printf("Allocate and free one secret: median of %lld interleaved runs\n\n",
              static_cast<long long>(result.repetitions()));
  std::vector<std::string> heading{"size"};
  for (const subject& each : subjects) {
    heading.push_back(each.name);
    if (compares && each.name != "libsodium") heading.emplace_back("faster");
  }
  table shown(heading);
  for (const row& each : rows) {
    if (!std::ranges::all_of(subjects, [&](const subject& by) { return result.has(name(each, by)); })) continue;
    std::vector<std::string> cells{title(each)};
    for (const subject& by : subjects) {
      const double time = result.of(name(each, by));
      cells.push_back(duration(time));
      if (compares && by.name != "libsodium") cells.push_back(times(result.of(name(each, subjects.front())) / time));
    }
    shown.add(cells);
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  const std::vector<subject> subjects = isolated_allocators();
  // A process for each figure: what one size leaves behind, or a second thread, is not in the next one's way.
  std::deque<worker<pairs, double>> workers;
  for (const row& at : rows) {
    for (const subject& each : subjects) {
      auto& runner = workers.emplace_back(each.prepare, [&each](const pairs& request) { return time_of(each, request); });
      medians::add(name(at, each), [&runner, at](std::uint64_t count) { return runner.ask({at.size, at.threads, count}); });
    }
  }
  print(medians::measure(argc, argv), subjects);
}
