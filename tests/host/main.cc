// main.cc - the unit tests: the allocator's modules over the simulated host.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
