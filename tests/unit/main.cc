// main.cc - the unit tests: the allocator's modules over the simulated host.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
