// scratch.h - bytes for the length of a call: locked in RAM while they are used, wiped when they go.
//
// Everything that this layer computes on the way between a secret and its shares lies in one of these, never on the stack and
// never in the ordinary heap.
//
// Invariants
//   1. What a scratch holds is wiped before it leaves the list of all of them.
//   2. A forked child has what its own thread was working with, where the policy gives it: otherwise the scratch is refused there.
//      What the other threads were working with is wiped before fork returns.
//
// Threads: one, but for destruction.
#ifndef LOCKFAST_BOOJUM_MEMORY_SCRATCH_H
#define LOCKFAST_BOOJUM_MEMORY_SCRATCH_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <span>
#include <thread>

namespace lockfast::internal {

class scratch {
 public:
  // Null where lockfast_malloc refuses.
  explicit scratch(std::size_t size);
  ~scratch();
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  // Registers the handlers of fork. A mutex under which a scratch may be made needs handlers that are registered later, so
  // that it is taken before that of the list.
  static void follow_forks();

  [[nodiscard]] bool refused() const { return bytes_ == nullptr || absent_; }
  [[nodiscard]] std::span<std::byte> bytes() const { return {bytes_, refused() ? 0 : size_}; }
  [[nodiscard]] std::byte* data() const { return bytes_; }

 private:
  void join_list();
  void leave_list();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  std::byte* bytes_;
  std::size_t size_;
  bool absent_ = false;  // it stayed with the parent of a fork
  std::thread::id owner_ = std::this_thread::get_id();
  scratch* next_ = nullptr;   // in the list of all that are not refused
  scratch** link_ = nullptr;  // what points here; null outside the list
};

}  // namespace lockfast::internal

#endif
