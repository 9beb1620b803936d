// crew.h - threads that stay, each on a processor of its own, and begin each piece of work at the same moment.
//
// What an allocator keeps for a thread is warm from one piece of work to the next, and a thread's start and end are not
// measured. Between two pieces the threads sleep.
#ifndef LOCKFAST_BENCH_CREW_H
#define LOCKFAST_BENCH_CREW_H

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace lockfast::bench {

class crew {
 public:
  using job = std::function<void(std::size_t index)>;

  // The calling thread is number 0 and runs on the first of the processors; the others are started.
  explicit crew(std::size_t threads, std::size_t first_processor = 0);
  ~crew();
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  [[nodiscard]] std::size_t size() const { return starts_.size(); }

  // Has every thread do work(its index). Seconds from the first one's start until the last one is done: what they wait for
  // each other counts.
  [[nodiscard]] double run(const job& work);

 private:
  using clock = std::chrono::steady_clock;

  void take_part(std::size_t index);

  std::vector<clock::time_point> starts_;
  std::vector<clock::time_point> ends_;
  std::barrier<> gathered_;
  std::barrier<> done_;
  std::atomic<std::size_t> awake_ = 0;
  const job* work_ = nullptr;  // none when the crew is to go home
  std::vector<std::thread> others_;
};

}  // namespace lockfast::bench

#endif
