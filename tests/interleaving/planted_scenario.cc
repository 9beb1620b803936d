// planted_scenario.cc - a fault for the test of the test: two threads count, and one of two counts can be lost.
#include "allocator/base/relaxed.h"
#include "tests/interleaving/scenario.h"
#include "tests/interleaving/secrets.h"

namespace lockfast::interleaving {
namespace {

internal::relaxed<int> count = 0;

void count_one() { count = count + 1; }

const scenario planted = {.name = "planted", .options = "", .threads = {count_one, count_one}, .verify = [] {
                            require(count == 2, "a count is lost");
                          }};

}  // namespace

const scenario& planted_scenario() { return planted; }

}  // namespace lockfast::interleaving
