// refusal_main.cc - the tests of the Boojum types over the simulated host and the simulated files.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
