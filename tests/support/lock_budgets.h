// lock_budgets.h - how much RLIMIT_MEMLOCK is worth.
#ifndef LOCKFAST_TESTS_SUPPORT_LOCK_BUDGETS_H
#define LOCKFAST_TESTS_SUPPORT_LOCK_BUDGETS_H

#include <cstddef>

// How often a process that hides its secrets can hold that limit: twice where hidden memory counts by user (Linux 7.2, and from
// 6.1.192 and 6.12.117 on), once where it counts by process, as locks do, or there is none.
std::size_t lock_budgets();

#endif
