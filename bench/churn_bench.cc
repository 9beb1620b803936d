// churn_bench.cc - how long does it take to replace one of 10,000 live secrets by another, by mix of sizes and threads?
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "bench/comparison.h"
#include "bench/crew.h"
#include "bench/medians.h"
#include "bench/process_memory.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/team.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t live = 10'000;  // of all threads together
constexpr int repetitions = 11;

// The sizes of a mix are equally frequent. 16 is a power of two: drawing one is a mask.
constexpr std::size_t variety = 16;
struct mix {
  const char* title;
  std::size_t pool_size;  // room for all of them in any fixed pool, whatever it loses between them
  std::size_t sizes[variety];
};

constexpr mix mixes[] = {
    {"32 B", 1U << 20U, {32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32}},
    // Keys, tokens, passphrases.
    {"16 to 256 B", 4U << 20U, {16, 16, 20, 24, 32, 32, 32, 32, 40, 48, 56, 64, 96, 128, 192, 256}},
    // The same with private keys in text.
    {"16 B to 4 KiB", 32U << 20U, {16, 16, 24, 32, 32, 32, 48, 64, 64, 96, 128, 256, 512, 1024, 1700, 4096}},
};

struct staff {
  std::size_t processes;
  std::size_t threads;  // of each process
  const char* title;
};

constexpr staff one{1, 1, "one thread"};
constexpr staff two{1, 2, "two threads, each with half of them"};
constexpr staff two_processes{2, 1, "two processes, each with half of them"};
constexpr staff staffs[] = {one, two, two_processes};

struct replacements {
  std::size_t mix;
  staff by;
  std::uint64_t count;  // of each thread; 0 asks whether the subject serves every size of the mix, all at once
};

constexpr double not_served = 1e9;  // seconds

// One thread's share of the working set.
class share {
 public:
  share(const subject& of, const mix& sizes, std::size_t count, unsigned seed) : of_(of), sizes_(sizes), draw_(seed) {
    secrets_.reserve(count);
    while (secrets_.size() < count) {
      const held added = allocate();
      if (added.secret == nullptr) return;
      secrets_.push_back(added);
    }
  }

  [[nodiscard]] std::size_t size() const { return secrets_.size(); }

  // Whether each secret is held in RAM. Requires that the subject promises it.
  [[nodiscard]] bool locked() const {
    const locked_maps maps;
    for (const held& each : secrets_) {
      if (!maps.hold(each.secret, each.size)) return false;
    }
    return true;
  }

  void replace(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      held& chosen = secrets_[draw() % secrets_.size()];
      of_.deallocate(chosen.secret, chosen.size);
      chosen = allocate();
      if (chosen.secret == nullptr) give_up("an allocation was refused");
    }
  }

 private:
  struct held {
    void* secret;
    std::size_t size;
  };

  // The high bits: the low ones of this generator repeat soon.
  std::uint64_t draw() { return draw_() >> shift; }

  held allocate() {
    const std::size_t size = sizes_.sizes[draw() % variety];
    void* const secret = of_.allocate(size);
    if (secret != nullptr) touch(secret, size);
    return {secret, size};
  }

  static constexpr unsigned shift = 32;
  using generator = std::linear_congruential_engine<std::uint64_t, 6364136223846793005U, 1442695040888963407U, 0>;

  const subject& of_;
  const mix& sizes_;
  generator draw_;
  std::vector<held> secrets_;
};

class working_set {
 public:
  working_set(const subject& of, const replacements& request, std::size_t processor)
      : threads_(request.by.threads, processor), shares_(request.by.threads), size_(live / request.by.processes) {
    // Each thread allocates its own: what is replaced was allocated by the thread that frees it.
    (void)threads_.run([&](std::size_t index) {
      shares_[index] =
          std::make_unique<share>(of, mixes[request.mix], size_ / shares_.size(), static_cast<unsigned>(index + 1));
    });
  }

  [[nodiscard]] bool complete() const {
    std::size_t count = 0;
    for (const auto& each : shares_) count += each->size();
    return count == size_;
  }

  [[nodiscard]] bool locked() const {
    for (const auto& each : shares_) {
      if (!each->locked()) return false;
    }
    return true;
  }

  [[nodiscard]] double replace(std::uint64_t count) {
    return threads_.run([&](std::size_t index) { shares_[index]->replace(count); });
  }

 private:
  crew threads_;
  std::vector<std::unique_ptr<share>> shares_;
  std::size_t size_;
};

double time_of(const subject& of, const replacements& request, std::size_t processor) {
  static working_set set(of, request, processor);
  if (request.count > 0) return set.replace(request.count);
  return set.complete() && (of.promises == promise::nothing || set.locked()) ? 0 : not_served;
}

std::string name(const subject& of, std::size_t mix, const staff& by) {
  return std::string(mixes[mix].title) + ", " + by.title + "/" + of.name;
}

void print(const medians& result, std::span<const subject> subjects) {
  const auto with = [&](const staff& by) {
    std::vector<std::string> columns;
    for (const mix& each : mixes) columns.emplace_back(each.title);
    return comparison(result, subjects, columns, [&by](const subject& of, std::size_t column) { return name(of, column, by); });
  };
  print_heading("Replace one of " + std::to_string(live) + " live secrets, drawn at random", result);
  for (const staff& by : staffs) with(by).print_times(std::string("Time of a replacement: ") + by.title);
  for (const staff& by : {one, two}) with(by).print_ratios(by.title);
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
  std::vector<std::vector<subject>> subjects;  // for each mix
  for (const mix& each : mixes) {
    subjects.push_back(grouped_allocators(each.pool_size));
    subjects.back().push_back(loop_alone());
    subjects.back().push_back(wipe_alone());
  }
  std::deque<team<replacements>> workers;
  for (const staff& by : staffs) {
    for (std::size_t mix = 0; mix < std::size(mixes); ++mix) {
      for (subject& each : subjects[mix]) {
        auto& runner = workers.emplace_back(
            by.processes, [&each] { start(each); },
            [&each](const replacements& request, std::size_t processor) { return time_of(each, request, processor); });
        if (runner.ask({mix, by, 0}) == not_served) {
          workers.pop_back();
          continue;
        }
        medians::add(name(each, mix, by), [&runner, mix, by](std::uint64_t count) { return runner.ask({mix, by, count}); });
      }
    }
  }
  print(medians::measure(argc, argv, repetitions), subjects.front());
}
