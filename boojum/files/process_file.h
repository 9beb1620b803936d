// process_file.h - an open file of this process alone: a forked child closes its copy of the descriptor.
//
// A lock on a file belongs to everybody who has the file open. A worker that a program forks in the middle of a save would
// otherwise keep the lock for as long as the worker lives.
//
// Invariants
//   1. A forked child has the file closed before fork returns there, and opened() is none.
//   2. What the child closes releases no lock of the parent's.
//
// Threads: one, but for what a fork does.
#ifndef LOCKFAST_BOOJUM_FILES_PROCESS_FILE_H
#define LOCKFAST_BOOJUM_FILES_PROCESS_FILE_H

#include "platform/files.h"

namespace lockfast::internal {

class process_file {
 public:
  // Owns an open file, or nothing.
  explicit process_file(platform::file opened);
  process_file(process_file&& other) noexcept;
  process_file& operator=(process_file&&) = delete;
  ~process_file();

  [[nodiscard]] platform::file opened() const { return opened_; }

 private:
  void join_list();
  void leave_list();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  platform::file opened_;
  process_file* next_ = nullptr;   // in the list of all that are open
  process_file** link_ = nullptr;  // what points here; null outside the list
};

}  // namespace lockfast::internal

#endif
