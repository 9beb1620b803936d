// team.h - worker processes that do the same at the same time: what a machine's processors leave to each other, without
// anything that threads of one process share.
#ifndef LOCKFAST_BENCH_TEAM_H
#define LOCKFAST_BENCH_TEAM_H

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>

#include "bench/worker.h"

namespace lockfast::bench {

template <class Request>
class team {
 public:
  // Gives the seconds that it took; index tells the processes apart, from 0.
  using job = std::function<double(const Request& request, std::size_t index)>;

  // As worker does it, for each process.
  team(std::size_t processes, const std::function<void()>& prepare, const job& run) {
    for (std::size_t index = 0; index < processes; ++index) {
      workers_.emplace_back(prepare, [run, index](const Request& request) { return run(request, index); });
    }
  }

  // Has all run one request, and waits for the slowest.
  [[nodiscard]] double ask(const Request& request) {
    for (auto& each : workers_) each.begin(request);
    double longest = 0;
    for (auto& each : workers_) longest = std::max(longest, each.finish());
    return longest;
  }

 private:
  std::deque<worker<Request, double>> workers_;
};

}  // namespace lockfast::bench

#endif
