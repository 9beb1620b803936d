// medians.cc - Google Benchmark with defaults of ours and a reporter that prints nothing.
#include "bench/medians.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iterator>
#include <utility>
#include <vector>

#include "bench/processor.h"

namespace lockfast::bench {
namespace {

// Each repetition is short, so that most of them are not interrupted, and long enough to meet the work that the kernel puts
// off when maps are changed.
constexpr const char* defaults[] = {"--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.01"};

class collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const bool only_one = run.repetitions == 1;  // of which there is no aggregate
      if (only_one || run.aggregate_name == "median") nanoseconds[run.run_name.function_name] = run.GetAdjustedRealTime();
      if (run.repetitions > repetitions) repetitions = run.repetitions;
    }
  }

  std::map<std::string, double> nanoseconds;
  std::int64_t repetitions = 0;
};

}  // namespace

void medians::add(const std::string& name, const batch& run) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [run](benchmark::State& state) {
                                 while (state.KeepRunningBatch(state.max_iterations)) {
                                   state.SetIterationTime(run(static_cast<std::uint64_t>(state.max_iterations)));
                                 }
                               })
      ->UseManualTime()
      ->Unit(benchmark::kNanosecond);
}

medians medians::measure(int argc, char** argv, int repetitions) {
  std::vector<char*> arguments{argv[0]};
  std::vector<std::string> own(std::begin(defaults), std::end(defaults));
  own.push_back("--benchmark_repetitions=" + std::to_string(repetitions));
  for (std::string& argument : own) arguments.push_back(argument.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);  // after ours, so that the caller's count
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) std::exit(2);

  collector reporter;
  const other_work others;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  medians result;
  result.disturbance_ = others.share();
  result.nanoseconds_ = std::move(reporter.nanoseconds);
  result.repetitions_ = reporter.repetitions;
  return result;
}

}  // namespace lockfast::bench
