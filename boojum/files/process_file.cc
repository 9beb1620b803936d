// process_file.cc - the list of all files that a forked child closes.
#include "boojum/files/process_file.h"

#include <mutex>
#include <utility>

#include "platform/platform.h"

namespace lockfast::internal {
namespace {

// Nothing else is taken while it is held.
constinit platform::mutex mutex;
constinit process_file* first = nullptr;
constinit bool handlers_registered = false;

}  // namespace

process_file::process_file(platform::file opened) : opened_(opened) {
  const std::scoped_lock held(mutex);
  if (!handlers_registered) {
    platform::at_fork(before_fork, after_fork_in_parent, after_fork_in_child);
    handlers_registered = true;
  }
  join_list();
}

process_file::process_file(process_file&& other) noexcept : opened_(platform::file::none) {
  const std::scoped_lock held(mutex);
  opened_ = std::exchange(other.opened_, platform::file::none);
  other.leave_list();
  join_list();
}

process_file::~process_file() {
  {
    const std::scoped_lock held(mutex);
    leave_list();
  }
  platform::close(opened_);
}

void process_file::join_list() {
  if (opened_ == platform::file::none) return;
  next_ = first;
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &first;
  first = this;
}

void process_file::leave_list() {
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
}

void process_file::before_fork() { mutex.lock(); }
void process_file::after_fork_in_parent() { mutex.unlock(); }

void process_file::after_fork_in_child() {
  while (first != nullptr) {
    process_file& each = *first;
    each.leave_list();
    platform::close(std::exchange(each.opened_, platform::file::none));
  }
  mutex.unlock();
}

}  // namespace lockfast::internal
