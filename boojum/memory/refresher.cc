// refresher.cc - the refresher: one thread, the list of what it visits, and both at a fork.
#include "boojum/memory/refresher.h"

#include <lockfast/boojum.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "boojum/memory/fork.h"
#include "boojum/memory/scratch.h"
#include "platform/platform.h"
#include "platform/thread.h"

namespace lockfast {
namespace {

using internal::refreshable;

// The longest of clocks' arithmetic is not far beyond it.
constexpr std::chrono::milliseconds max_period = std::chrono::years(100);

struct pending_lapse {
  std::chrono::steady_clock::time_point when;
  std::weak_ptr<refreshable> of;
};

struct record {
  std::mutex mutex;
  std::condition_variable changed;  // period, wanted, alive, or a lapse before what the thread waits for
  std::vector<pending_lapse> lapses;
  std::vector<std::weak_ptr<refreshable>> all;
  std::size_t purge_at = 64;  // entries; those that are gone are dropped when there are so many
  std::chrono::milliseconds period = refresher::default_period;
  bool stopped = false;                        // by the program, until it says start
  bool wanted = false;                         // the thread goes on while it is
  bool alive = false;                          // there is a thread; never more than one
  std::thread::id thread;                      // that one, once it runs
  std::chrono::steady_clock::time_point next;  // what it waits for
  std::vector<std::shared_ptr<refreshable>> held_by_fork;
};

std::atomic<std::uint64_t> rounds_done = 0;
std::atomic<bool> lost_in_fork = false;
std::atomic<bool> going = false;  // as record::wanted, for those who do not wait
std::atomic<unsigned> forks = 0;

// Never destroyed: the thread may outlive static objects.
record& the_record() {
  alignas(record) static std::byte room[sizeof(record)];
  static auto* const one = new (room) record;
  return *one;
}

// Takes one out of the list and calls it, without the mutex.
void call_lapse(record& in, std::unique_lock<std::mutex>& held, std::vector<pending_lapse>::iterator which) {
  auto of = which->of.lock();
  std::swap(*which, in.lapses.back());
  in.lapses.pop_back();
  held.unlock();
  if (of != nullptr) of->lapse();
  of = nullptr;
  held.lock();
}

// Waits for the next round, and calls what lapses before. False when the refresher is stopped or has another period.
bool wait_for_round(record& in, std::unique_lock<std::mutex>& held) {
  const auto period = in.period;
  const auto round = std::chrono::steady_clock::now() + period;
  while (in.wanted && in.period == period) {
    const auto next = std::ranges::min_element(in.lapses, {}, &pending_lapse::when);
    const auto until = next == in.lapses.end() ? round : std::min(round, next->when);
    if (std::chrono::steady_clock::now() < until) {
      in.next = until;
      in.changed.wait_until(held, until);
    } else if (until == round) {
      return true;
    } else {
      call_lapse(in, held, next);
    }
  }
  return false;
}

void run_rounds() {
  record& in = the_record();
  std::unique_lock held(in.mutex);
  in.thread = std::this_thread::get_id();
  for (;;) {
    // It may have been stopped before this thread came here the first time, or during a round.
    while (!in.wanted && !in.lapses.empty()) call_lapse(in, held, in.lapses.begin());
    if (!in.wanted) break;
    if (!wait_for_round(in, held)) continue;
    // A secret that cannot be noted for want of memory waits for the next round.
    std::vector<std::shared_ptr<refreshable>> visited;
    try {
      visited.reserve(in.all.size());
    } catch (const std::bad_alloc&) {
      continue;
    }
    for (const auto& each : in.all) {
      if (auto there = each.lock()) visited.push_back(std::move(there));
    }
    held.unlock();
    for (auto& each : visited) {
      each->round();
      each = nullptr;
    }
    rounds_done.fetch_add(1, std::memory_order_relaxed);
    held.lock();
  }
  in.thread = {};
  in.alive = false;
  in.changed.notify_all();
}

// Requires the record's mutex. A thread that is on its way out turns round; nobody waits for it.
std::expected<void, memory_error> start_thread(record& in) {
  if (in.wanted && in.alive) return {};
  in.wanted = true;
  going.store(true, std::memory_order_relaxed);
  in.changed.notify_all();
  if (in.alive) return {};
  in.alive = true;
  if (platform::start_thread(run_rounds) == 0) return {};
  going.store(false, std::memory_order_relaxed);
  in.wanted = false;
  in.alive = false;
  in.changed.notify_all();
  return std::unexpected(memory_error::denied);
}

void before_fork() {
  record& in = the_record();
  internal::directories_mutex().lock();
  in.mutex.lock();
  for (const auto& each : in.all) {
    if (auto there = each.lock()) in.held_by_fork.push_back(std::move(there));
  }
  for (const auto& each : in.held_by_fork) {
    if (std::mutex* const held = each->held_over_fork()) held->lock();
  }
}

// What was held may be the last reference: it goes when no mutex is held any more.
void release_all(record& in) {
  for (const auto& each : in.held_by_fork) {
    if (std::mutex* const held = each->held_over_fork()) held->unlock();
  }
  std::vector<std::shared_ptr<refreshable>> empty;
  try {
    empty.reserve(in.held_by_fork.capacity());
  } catch (const std::bad_alloc&) {
    // The next fork asks for the room again.
  }
  const auto held = std::exchange(in.held_by_fork, std::move(empty));
  in.mutex.unlock();
  internal::directories_mutex().unlock();
}

void in_parent() { release_all(the_record()); }

// The child has one thread. The condition's waiters are not there: it begins anew.
void in_child() {
  record& in = the_record();
  forks.fetch_add(1, std::memory_order_relaxed);
  rounds_done.store(0, std::memory_order_relaxed);
  new (&in.changed) std::condition_variable;
  lost_in_fork.store(in.wanted, std::memory_order_relaxed);
  in.wanted = false;
  in.alive = false;
  in.thread = {};
  in.lapses.clear();
  going.store(false, std::memory_order_relaxed);
  release_all(in);
}

void watch_forks() {
  static const bool watched = [] {
    internal::scratch::follow_forks();  // whose mutex is taken after every secret's
    platform::at_fork(before_fork, in_parent, in_child);
    return true;
  }();
  (void)watched;
}

}  // namespace

namespace internal {

unsigned fork_generation() {
  watch_forks();
  return forks.load(std::memory_order_relaxed);
}

// Never destroyed: secrets of static storage may open a directory when the process ends.
std::mutex& directories_mutex() {
  alignas(std::mutex) static std::byte room[sizeof(std::mutex)];
  static auto* const one = new (room) std::mutex;
  return *one;
}

std::expected<void, memory_error> join_refresher(const std::shared_ptr<refreshable>& one) {
  watch_forks();
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  if (in.all.size() >= in.purge_at) {
    std::erase_if(in.all, [](const auto& each) { return each.expired(); });
    in.purge_at = 2 * in.all.size() + 64;
  }
  try {
    in.all.push_back(one);
    in.held_by_fork.reserve(in.all.capacity());
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
  return in.stopped ? std::expected<void, memory_error>() : start_thread(in);
}

bool lapse_at(std::chrono::steady_clock::time_point when, const std::shared_ptr<refreshable>& one) {
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  if (!in.wanted) return false;
  try {
    in.lapses.push_back({when, one});
  } catch (const std::bad_alloc&) {
    return false;
  }
  if (when < in.next) in.changed.notify_all();
  return true;
}

bool rounds_go_on() { return going.load(std::memory_order_relaxed); }

void keep_rounds_going() {
  if (!lost_in_fork.load(std::memory_order_relaxed) || !lost_in_fork.exchange(false)) return;
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  if (!in.stopped) (void)start_thread(in);
}

}  // namespace internal

std::expected<void, memory_error> refresher::start() {
  (void)internal::fork_generation();
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  in.stopped = false;
  return start_thread(in);
}

void refresher::stop() {
  record& in = the_record();
  std::unique_lock held(in.mutex);
  in.stopped = true;
  in.wanted = false;
  going.store(false, std::memory_order_relaxed);
  in.changed.notify_all();
  // A function that is told of an expiry stops it from within a round: to wait for its own thread would be for ever.
  if (in.thread == std::this_thread::get_id()) return;
  // Another thread may start it again meanwhile.
  in.changed.wait(held, [&] { return !in.alive || in.wanted; });
}

bool refresher::running() {
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  return in.alive && in.wanted;
}

void refresher::period(std::chrono::milliseconds between_rounds) {
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  in.period = std::clamp(between_rounds, std::chrono::milliseconds(1), max_period);
  in.changed.notify_all();
}

std::chrono::milliseconds refresher::period() {
  record& in = the_record();
  const std::scoped_lock held(in.mutex);
  return in.period;
}

std::uint64_t refresher::rounds() { return rounds_done.load(std::memory_order_relaxed); }

}  // namespace lockfast
