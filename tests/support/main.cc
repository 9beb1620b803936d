// main.cc - of every suite that does not begin by something of its own.
#include <doctest/doctest.h>

#include "support/child.h"

int main(int argc, char** argv) {
  scenario::dispatch(argc, argv);
  return doctest::Context(argc, argv).run();
}
