// refusal_main.cc - the tests of the Boojum types over the simulated host and the simulated files.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
