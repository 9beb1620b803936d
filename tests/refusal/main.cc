// main.cc - the refusal tests: every call to the system is refused in turn.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
