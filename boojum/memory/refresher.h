// refresher.h - what the refresher works on: everything at rest that wants to be looked at from time to time, and at a fork.
//
// The record is weak: who owns a secret decides when it goes. Its mutex is taken before a fork and given back on both sides,
// so that no secret is half changed in a child, and none of its mutexes is held by a thread that the child does not have.
//
// Order of mutexes:  directories  >  rounds  >  one secret's  >  those of the allocator.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_MEMORY_REFRESHER_H
#define LOCKFAST_BOOJUM_MEMORY_REFRESHER_H

#include <lockfast/memory_error.hpp>

#include <chrono>
#include <expected>
#include <memory>
#include <mutex>

namespace lockfast::internal {

class refreshable {
 public:
  refreshable() = default;
  refreshable(const refreshable&) = delete;
  refreshable& operator=(const refreshable&) = delete;
  virtual ~refreshable() = default;

  // Called by the refresher once in a period, without any mutex.
  virtual void round() = 0;

  // Called by the refresher at a time that lapse_at() was told, without any mutex.
  virtual void lapse() {}

  // What a fork waits for: held while the secret is changed, and never together with another secret's. Null: nothing that a
  // child could use.
  [[nodiscard]] virtual std::mutex* held_over_fork() { return nullptr; }
};

// Adds one, and starts the refresher if nobody has stopped it. Refused where there is no memory or no thread. Requires that the
// caller holds no mutex of held_over_fork(): a fork takes the rounds' first, and then waits for it.
[[nodiscard]] std::expected<void, memory_error> join_refresher(const std::shared_ptr<refreshable>& one);

// Has the refresher call one->lapse() at that time, or when it is stopped before. False where no refresher would, or there is no
// memory. Forgotten in a forked child. May be called under a mutex that a fork takes before the rounds'.
[[nodiscard]] bool lapse_at(std::chrono::steady_clock::time_point when, const std::shared_ptr<refreshable>& one);

// Whether there will be another round.
[[nodiscard]] bool rounds_go_on();

// Starts the refresher again in a forked child, at the next use of a secret there. Cheap where there is nothing to do.
void keep_rounds_going();

}  // namespace lockfast::internal

#endif
