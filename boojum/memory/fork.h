// fork.h - which process this is, in a line of forks: what has a file knows by it that the file is a parent's.
//
// Whoever registers fork handlers of his own for a mutex that is held while a split secret is used calls fork_generation()
// before that: handlers run in the reverse order before a fork, so that his mutex is taken before those of the secrets.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_MEMORY_FORK_H
#define LOCKFAST_BOOJUM_MEMORY_FORK_H

namespace lockfast::internal {

// How many forks lie between the start of the program and this process. Registers the handlers that count them, once.
[[nodiscard]] unsigned fork_generation();

}  // namespace lockfast::internal

#endif
