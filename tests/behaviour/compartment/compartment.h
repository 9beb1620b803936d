// compartment.h - what the tests of compartments share: compartments that are proven to be there, and threads that keep still.
#ifndef LOCKFAST_TESTS_BEHAVIOUR_COMPARTMENT_H
#define LOCKFAST_TESTS_BEHAVIOUR_COMPARTMENT_H

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "behaviour/grouped.h"
#include "support/reach.h"

using compartment = struct lockfast_compartment;

inline compartment* new_compartment() {
  compartment* const made = lockfast_compartment_create();
  prove(made != nullptr, "a compartment");
  return made;
}

// A live secret of an open compartment, filled.
inline char* secret_in(compartment* in, std::size_t size) {
  auto* const made = static_cast<char*>(lockfast_compartment_malloc(in, size));
  prove(made != nullptr, "a secret in a compartment");
  prove(receipt_of(made).placement == LOCKFAST_GROUPED, "a grouped secret");
  std::memset(made, 'x', size);
  return made;
}

inline void open_to(compartment* which, lockfast_access access) {
  promised(lockfast_compartment_protect(which, access) == 0, "a change of access");
}

// Whether this thread has exactly this access to a byte.
inline bool has(char* byte, lockfast_access access) {
  return readable_here(byte) == (access != LOCKFAST_NOACCESS) && writable_here(byte) == (access == LOCKFAST_READWRITE);
}

// A thread that does what it is told, one thing at a time, and then waits; it ends with its scope.
class performer {
 public:
  performer() : thread_([this] { perform(); }) {}
  ~performer() {
    tell({});
    thread_.join();
  }
  performer(const performer&) = delete;
  performer& operator=(const performer&) = delete;

  // Returns when it is done.
  void operator()(const std::function<void()>& act) {
    std::unique_lock held(mutex_);
    tell_held(act);
    changed_.wait(held, [&] { return !told_; });
  }

 private:
  void tell(const std::function<void()>& act) {
    const std::scoped_lock held(mutex_);
    tell_held(act);
  }
  void tell_held(const std::function<void()>& act) {
    act_ = act;
    told_ = true;
    changed_.notify_all();
  }
  void perform() {
    std::unique_lock held(mutex_);
    for (;;) {
      changed_.wait(held, [&] { return told_; });
      if (!act_) return;
      act_();
      told_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> act_;
  bool told_ = false;
  std::thread thread_;
};

#endif
