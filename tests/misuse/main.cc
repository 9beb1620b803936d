// main.cc - the misuse tests: the real host, one test for each breach and each fault, in a process of its own.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
