// account.h - holds what a receipt says against the kernel's own account of the pages.
#ifndef LOCKFAST_TESTS_THREAT_ACCOUNT_H
#define LOCKFAST_TESTS_THREAT_ACCOUNT_H

#include <string>

// What the receipt of a secret says that is not so, in words; empty when all of it is true.
std::string untruth(const void* secret);

#endif
