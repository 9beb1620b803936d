// main.cc - the unit tests: the allocator's modules over the simulated host.
#include <doctest/doctest.h>

#include "support/sanitized.h"

#if defined(LOCKFAST_UNDER_ASAN)
// What the simulated host has reserved is the allocator's for as long as the process lives, and its tables reach it by numbers.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:lockfast::platform::reserve\n"; }
#endif

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
