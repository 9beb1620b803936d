// vault_list.h - every vault of the process, so that a fork finds none of them half changed.
//
// Threads: everything from any thread.
#ifndef LOCKFAST_BOOJUM_VAULT_VAULT_LIST_H
#define LOCKFAST_BOOJUM_VAULT_VAULT_LIST_H

namespace lockfast::internal {

class vault_state;

class vault_list {
 public:
  static void add(vault_state& one);
  static void remove(vault_state& one);

 private:
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();
};

}  // namespace lockfast::internal

#endif
