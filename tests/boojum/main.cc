// main.cc - the tests of the Boojum types, on the real host.
#include <doctest/doctest.h>

#include "support/child.h"

int main(int argc, char** argv) {
  scenario::dispatch(argc, argv);
  return doctest::Context(argc, argv).run();
}
