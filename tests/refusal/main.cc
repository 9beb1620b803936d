// main.cc - the refusal tests: every call to the system is refused in turn.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
