// lock_limit.h - takes a child's right to lock memory away.
#ifndef LOCKFAST_TESTS_CONFORMANCE_LOCK_LIMIT_H
#define LOCKFAST_TESTS_CONFORMANCE_LOCK_LIMIT_H

#include <cstddef>

// Gives up every right to lock more than so many bytes, root's too. For a scenario, before the subject starts.
void lock_no_more_than(std::size_t bytes);

#endif
