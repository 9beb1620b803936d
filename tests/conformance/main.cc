// main.cc - one conformance program, linked with Lockfast's drop-in and with libsodium itself.
#include <doctest/doctest.h>

#include "subject.h"
#include "support/child.h"

int main(int argc, char** argv) {
  scenario::dispatch(argc, argv);
  start_subject();
  return doctest::Context(argc, argv).run();
}
