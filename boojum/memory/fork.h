// fork.h - which process this is, in a line of forks: what has a file knows by it that the file is a parent's. And the mutex that a
// fork takes first.
//
// Whoever registers fork handlers of his own for a mutex that is held while a split secret is used calls fork_generation()
// before that: handlers run in the reverse order before a fork, so that his mutex is taken before those of the secrets.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_MEMORY_FORK_H
#define LOCKFAST_BOOJUM_MEMORY_FORK_H

#include <mutex>

namespace lockfast::internal {

// How many forks lie between the start of the program and this process. Registers the handlers that count them, once.
[[nodiscard]] unsigned fork_generation();

// Of what is held while a directory is opened and cleaned. A fork takes it before all others, so that no child finds it held by a
// thread that the child does not have; fork_generation() has to be called before it is taken.
[[nodiscard]] std::mutex& directories_mutex();

}  // namespace lockfast::internal

#endif
