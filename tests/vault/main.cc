// main.cc - the tests of the vault and of its cipher, on the real host.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
