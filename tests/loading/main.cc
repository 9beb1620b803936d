// main.cc - the libraries, loaded by a program that was not linked with them.
#include <doctest/doctest.h>

#include "support/child.h"

int main(int argc, char** argv) {
  scenario::dispatch(argc, argv);
  return doctest::Context(argc, argv).run();
}
