// main.cc - the vault over the simulated host, which refuses on request, as do the ordinary heap and libcrypto's.
#include <doctest/doctest.h>

#include "support/short_heap.h"

int main(int argc, char** argv) {
  if (!short_heap::install(short_heap::asked::for_null)) return 3;
  return doctest::Context(argc, argv).run();
}
