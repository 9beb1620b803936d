// main.cc - every type of secret in a process that a seccomp filter bounds.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
