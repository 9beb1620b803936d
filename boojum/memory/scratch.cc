// scratch.cc - the list of every scratch, and what a forked child does with it.
#include "boojum/memory/scratch.h"

#include <mutex>

#include "platform/errno_saver.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

// Nothing else is taken or allocated while it is held.
constinit platform::mutex mutex;
constinit scratch* first = nullptr;
constinit bool handlers_registered = false;

}  // namespace

scratch::scratch(std::size_t size) : bytes_(static_cast<std::byte*>(lockfast_malloc(size))), size_(size) {
  if (bytes_ == nullptr) return;
  follow_forks();
  join_list();
}

scratch::~scratch() {
  if (bytes_ == nullptr) return;
  // Before it leaves the list: a fork behind that would find it nowhere.
  if (!absent_) lockfast_wipe(bytes_, size_);
  leave_list();
  lockfast_free(bytes_);
}

void scratch::follow_forks() {
  const std::scoped_lock held(mutex);
  if (handlers_registered) return;
  platform::at_fork(before_fork, after_fork_in_parent, after_fork_in_child);
  handlers_registered = true;
}

void scratch::join_list() {
  const std::scoped_lock held(mutex);
  next_ = first;
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &first;
  first = this;
}

void scratch::leave_list() {
  const std::scoped_lock held(mutex);
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
}

void scratch::before_fork() { mutex.lock(); }
void scratch::after_fork_in_parent() { mutex.unlock(); }

// The allocator's handlers were registered when it was loaded, so that it has put the child's memory in order by now: what it
// does not describe, the fork has left absent. Stacks of threads that are gone are still there, but will be used again.
void scratch::after_fork_in_child() {
  const platform::errno_saver kept;
  scratch** link = &first;
  while (*link != nullptr) {
    scratch& each = **link;
    struct lockfast_receipt had = {};
    const bool here = lockfast_describe(each.bytes_, &had) == 0 && had.access == LOCKFAST_READWRITE;
    if (each.owner_ == std::this_thread::get_id()) {
      each.absent_ = !here;
      each.link_ = link;
      link = &each.next_;
      continue;
    }
    *link = each.next_;
    each.link_ = nullptr;
    if (here) lockfast_wipe(each.bytes_, each.size_);
  }
  mutex.unlock();
}

}  // namespace lockfast::internal
