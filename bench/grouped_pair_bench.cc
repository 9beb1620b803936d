// grouped_pair_bench.cc - how long does a secret's malloc, touch and free take, by size and threads, next to each other way?
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "bench/comparison.h"
#include "bench/crew.h"
#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/team.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t sizes[] = {16, 32, 64, 256, kibibyte, 4 * kibibyte, 16 * kibibyte};
constexpr std::size_t pool_size = kibibyte * kibibyte;
constexpr int repetitions = 15;

// Who is at work, and who is there: a process with a second thread, even one that sleeps, has somebody to exclude.
struct staff {
  std::size_t processes;
  std::size_t busy;  // threads of each process
  std::size_t present;
  const char* title;
};

constexpr staff one{1, 1, 1, "one thread"};
constexpr staff one_of_two{1, 1, 2, "one thread, while a second one sleeps"};
constexpr staff two{1, 2, 2, "two threads, each"};
constexpr staff two_processes{2, 1, 1, "two processes, each"};
constexpr staff staffs[] = {one, one_of_two, two, two_processes};

struct pairs {
  std::size_t size;
  staff by;
  std::uint64_t count;  // of each busy thread; 0 asks whether the subject serves this size
};

constexpr double not_served = 1e9;  // seconds

void run(const subject& of, std::size_t size, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    void* secret = of.allocate(size);
    if (secret == nullptr) give_up("an allocation was refused");
    touch(secret, size);
    of.deallocate(secret, size);
  }
}

double time_of(const subject& of, const pairs& request, std::size_t processor) {
  if (request.count == 0) return serves(of, request.size) ? 0 : not_served;
  static crew threads(request.by.present, processor);
  return threads.run([&](std::size_t index) {
    if (index < request.by.busy) run(of, request.size, request.count);
  });
}

std::string name(const subject& of, std::size_t size, const staff& by) {
  return size_class(size) + ", " + by.title + "/" + of.name;
}

void print(const medians& result, std::span<const subject> subjects) {
  const auto with = [&](const staff& by) {
    std::vector<std::string> columns;
    for (const std::size_t size : sizes) columns.push_back(size_class(size));
    return comparison(result, subjects, columns,
                      [&by](const subject& of, std::size_t column) { return name(of, sizes[column], by); });
  };
  print_heading("Allocate, touch and free one secret", result);
  for (const staff& by : staffs) with(by).print_times(std::string("Time of a pair: ") + by.title);
  for (const staff& by : {one, one_of_two, two}) with(by).print_ratios(by.title);
  with(two).print_throughput("Throughput of two threads, of that of one", with(one), 2);
  with(two_processes)
      .print_throughput("Throughput of two processes, of that of one: what the machine has to give", with(one), 2);
  with(two).print_throughput("Throughput of two threads, of that of two processes", with(two_processes), 1);
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  std::vector<subject> subjects = grouped_allocators(pool_size);
  subjects.push_back(loop_alone());
  subjects.push_back(wipe_alone());
  // A process for each figure: what one size leaves behind, or a second thread, is not in the next one's way.
  std::deque<team<pairs>> workers;
  for (const staff& by : staffs) {
    for (const std::size_t size : sizes) {
      for (subject& each : subjects) {
        auto& runner = workers.emplace_back(
            by.processes, [&each] { start(each); },
            [&each](const pairs& request, std::size_t processor) { return time_of(each, request, processor); });
        if (runner.ask({size, by, 0}) == not_served) continue;
        medians::add(name(each, size, by), [&runner, size, by](std::uint64_t count) { return runner.ask({size, by, count}); });
      }
    }
  }
  print(medians::measure(argc, argv, repetitions), subjects);
}
