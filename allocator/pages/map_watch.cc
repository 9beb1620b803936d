// map_watch.cc - what is asked, and what follows.
#include "allocator/pages/map_watch.h"

#include <algorithm>

#include "allocator/base/scoped_lock.h"

namespace lockfast::internal {
namespace {

constexpr std::size_t maps_of_a_run = 2;

// What is left to the rest of the process, and to threads that seal, open and allocate at this moment.
std::size_t reserve_of(std::size_t limit) { return limit / 64 + 64; }

}  // namespace

void map_watch::start(const client& of) {
  if (client_.tell != nullptr) return;
  limit_ = platform::map_limit();
  if (limit_ == SIZE_MAX) return;
  margin_ = limit_ / 1024 + 1;
  client_ = of;
}

map_watch::room map_watch::judged(std::size_t runs) {
  const std::size_t max = max_runs_.load(std::memory_order_relaxed);
  const room before = state_.load(std::memory_order_relaxed);
  if (runs > max + margin_ || (before == room::exceeded && runs > max)) return room::exceeded;
  return runs >= max || (before != room::left && runs + 2 * margin_ >= max) ? room::used_up : room::left;
}

// A thread calls this after it has changed the number of runs. So the last thread that tells the client has seen the last change.
void map_watch::settle() {
  for (;;) {
    {
      const scoped_lock held(settling_);
      const room now = judged(runs());
      state_.store(now, std::memory_order_seq_cst);
      client_.tell(now);
    }
    if (judged(runs()) == state_.load(std::memory_order_seq_cst)) return;
  }
}

void map_watch::ask() {
  const std::size_t opened = opened_.load(std::memory_order_relaxed);
  if (opened < ask_from_opened_.load(std::memory_order_relaxed) || !asking_.try_lock()) return;
  const std::size_t now = runs();
  const std::size_t own = client_.maps_of_runs();
  const std::size_t used = platform::maps_used();
  // Where the system does not tell, an eighth is taken for what others have.
  const std::size_t others = used == 0 ? limit_ / 8 : used - std::min(used, own);
  const std::size_t kept = others + reserve_of(limit_);
  const std::size_t max = kept < limit_ ? (limit_ - kept) / maps_of_a_run : 0;
  const bool near = now + 4 * margin_ >= max;
  ask_from_runs_.store(near ? max / 2 : std::max(first_ask, std::min(4 * now, now + (max - now) / 2)),
                       std::memory_order_relaxed);
  ask_from_opened_.store(near ? opened + opened_for_an_ask : 0, std::memory_order_relaxed);
  max_runs_.store(max, std::memory_order_relaxed);
  asking_.unlock();
}

}  // namespace lockfast::internal
