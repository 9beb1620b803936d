// main.cc - the misuse tests: the real host, one test for each breach and each fault, in a process of its own.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
