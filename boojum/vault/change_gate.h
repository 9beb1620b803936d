// change_gate.h - lets changes of a vault pass side by side, and closes when one caller needs the vault to stand still.
//
// A closed gate lets those inside finish, and keeps the others out until it opens; whoever closes it first is served first,
// however many changes come.
//
// Threads: everything from any thread, but before_fork() and what follows it.
#ifndef LOCKFAST_BOOJUM_VAULT_CHANGE_GATE_H
#define LOCKFAST_BOOJUM_VAULT_CHANGE_GATE_H

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <new>
#include <thread>

namespace lockfast::internal {

class change_gate {
 public:
  // False for the caller who closed the gate: he would wait for himself.
  [[nodiscard]] bool enter() {
    std::unique_lock held(mutex_);
    if (closed_ && closer_ == std::this_thread::get_id()) return false;
    moved_.wait(held, [&] { return !closed_; });
    ++inside_;
    return true;
  }

  void leave() {
    const std::scoped_lock held(mutex_);
    if (--inside_ == 0 && closed_) moved_.notify_all();
  }

  // False for the caller who closed it already.
  [[nodiscard]] bool close() {
    std::unique_lock held(mutex_);
    if (closed_ && closer_ == std::this_thread::get_id()) return false;
    moved_.wait(held, [&] { return !closed_; });
    take();
    moved_.wait(held, [&] { return inside_ == 0; });
    return true;
  }

  // Whether the caller is the one who closed it, and so the one who must not wait for it.
  [[nodiscard]] bool closed_by_caller() {
    const std::scoped_lock held(mutex_);
    return closed_ && closer_ == std::this_thread::get_id();
  }

  // Closes the gate only where nobody has to be waited for.
  [[nodiscard]] bool close_if_idle() {
    const std::scoped_lock held(mutex_);
    if (closed_ || inside_ != 0) return false;
    take();
    return true;
  }

  void open() {
    const std::scoped_lock held(mutex_);
    closed_ = false;
    moved_.notify_all();
  }

  void before_fork() { mutex_.lock(); }
  void after_fork_in_parent() { mutex_.unlock(); }
  // Whoever was inside, or waited, is not in the child.
  void after_fork_in_child() {
    new (&moved_) std::condition_variable;
    inside_ = 0;
    closed_ = false;
    mutex_.unlock();
  }

 private:
  void take() {
    closed_ = true;
    closer_ = std::this_thread::get_id();
  }

  std::mutex mutex_;
  std::condition_variable moved_;
  std::size_t inside_ = 0;
  bool closed_ = false;
  std::thread::id closer_;
};

// Passes a gate for the length of a scope.
class gate_pass {
 public:
  explicit gate_pass(change_gate& through) : through_(through), inside_(through.enter()) {}
  ~gate_pass() {
    if (inside_) through_.leave();
  }
  gate_pass(const gate_pass&) = delete;
  gate_pass& operator=(const gate_pass&) = delete;
  [[nodiscard]] bool inside() const { return inside_; }

 private:
  change_gate& through_;
  bool inside_;
};

}  // namespace lockfast::internal

#endif
