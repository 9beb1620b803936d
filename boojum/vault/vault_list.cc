// vault_list.cc - the list, and the handlers of fork.
#include "boojum/vault/vault_list.h"

#include <mutex>

#include "boojum/memory/fork.h"
#include "boojum/vault/vault_state.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

constinit platform::mutex mutex;
constinit vault_state* first = nullptr;
constinit bool handlers_registered = false;

}  // namespace

void vault_list::add(vault_state& one) {
  const std::scoped_lock held(mutex);
  if (!handlers_registered) {
    (void)fork_generation();  // a vault's mutexes are taken before those of its key, which its handlers then register
    platform::at_fork(before_fork, after_fork_in_parent, after_fork_in_child);
    handlers_registered = true;
  }
  one.next_ = first;
  first = &one;
}

void vault_list::remove(vault_state& one) {
  const std::scoped_lock held(mutex);
  vault_state** link = &first;
  while (*link != &one) link = &(*link)->next_;
  *link = one.next_;
}

void vault_list::before_fork() {
  mutex.lock();
  for (vault_state* each = first; each != nullptr; each = each->next_) each->hold_lock_over_fork();
  for (vault_state* each = first; each != nullptr; each = each->next_) each->before_fork();
}

void vault_list::after_fork_in_parent() {
  for (vault_state* each = first; each != nullptr; each = each->next_) each->after_fork_in_parent();
  mutex.unlock();
}

void vault_list::after_fork_in_child() {
  for (vault_state* each = first; each != nullptr; each = each->next_) each->after_fork_in_child();
  mutex.unlock();
}

}  // namespace lockfast::internal
