// main.cc - the unit tests: the allocator's modules over the simulated host.
#include <doctest/doctest.h>

#include "support/sanitized.h"

#if defined(LOCKFAST_UNDER_ASAN)
// Metadata lives as long as the process. A test's own slab goes with its test, and with it the last pointer to a block of metadata.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:lockfast::internal::metadata::take\n"; }
#endif

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
