// medians.h - runs registered benchmarks interleaved, and keeps the median of each for a table.
#ifndef LOCKFAST_BENCH_MEDIANS_H
#define LOCKFAST_BENCH_MEDIANS_H

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace lockfast::bench {

class medians {
 public:
  // A batch does count operations and returns the seconds that they took.
  using batch = std::function<double(std::uint64_t count)>;

  // Repetitions are what is interleaved: many, and an odd number, so that the median is one of them.
  static constexpr int usual_repetitions = 51;

  // Registers a batch under a name; how many operations make a batch is for Google Benchmark to find.
  static void add(const std::string& name, const batch& run);

  // Runs everything that was added, in random order, as many times as --benchmark_repetitions says, else as
  // given here. Every option of Google Benchmark is understood; --benchmark_out=FILE keeps what the table leaves out.
  [[nodiscard]] static medians measure(int argc, char** argv, int repetitions = usual_repetitions);

  // False for what a --benchmark_filter left out.
  [[nodiscard]] bool has(const std::string& name) const { return nanoseconds_.contains(name); }

  // Nanoseconds of one operation. Requires has(name).
  [[nodiscard]] double of(const std::string& name) const { return nanoseconds_.at(name); }

  // How often each was measured.
  [[nodiscard]] std::int64_t repetitions() const { return repetitions_; }

  // The part of all processors' time that went to other programs meanwhile.
  [[nodiscard]] double disturbance() const { return disturbance_; }

 private:
  std::map<std::string, double> nanoseconds_;
  std::int64_t repetitions_ = 0;
  double disturbance_ = 0;
};

}  // namespace lockfast::bench

#endif
