// options_test.cc - what LOCKFAST_OPTIONS may say, and whose word counts.
#include "allocator/options.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string_view>

using namespace lockfast::internal;

TEST_CASE("every key takes its values") {
  lockfast_options options = {};
  REQUIRE(parse("lock=preferred,hidden=off,fork=wipe,freed=recycle,placement=grouped,crash=wipe", options));
  CHECK(options.lock == LOCKFAST_LOCK_PREFERRED);
  CHECK(options.hidden == LOCKFAST_HIDDEN_OFF);
  CHECK(options.fork == LOCKFAST_FORK_WIPE);
  CHECK(options.freed == LOCKFAST_FREED_RECYCLE);
  CHECK(options.placement == LOCKFAST_PLACEMENT_GROUPED);
  CHECK(options.crash == LOCKFAST_CRASH_WIPE);
  REQUIRE(parse("lock=required,hidden=auto,fork=absent,freed=trap,placement=isolated,crash=none", options));
  CHECK(options.lock == LOCKFAST_LOCK_REQUIRED);
  CHECK(options.hidden == LOCKFAST_HIDDEN_AUTO);
  CHECK(options.fork == LOCKFAST_FORK_ABSENT);
  CHECK(options.freed == LOCKFAST_FREED_TRAP);
  CHECK(options.placement == LOCKFAST_PLACEMENT_ISOLATED);
  CHECK(options.crash == LOCKFAST_CRASH_NONE);
}

TEST_CASE("nothing, and an empty string, say nothing") {
  lockfast_options options = {};
  CHECK(parse(nullptr, options));
  CHECK(parse("", options));
  CHECK(options.lock == LOCKFAST_LOCK_DEFAULT);
}

TEST_CASE("a later pair wins over an earlier one") {
  lockfast_options options = {};
  REQUIRE(parse("freed=trap,freed=recycle", options));
  CHECK(options.freed == LOCKFAST_FREED_RECYCLE);
}

TEST_CASE("an unknown key, an unknown value and a pair without a sign are refused") {
  for (const char* const text : {"lock", "lock=", "=required", "lock=always", "locks=required", "lock=required,", ",",
                                 "lock=required, freed=trap", "LOCK=required", "lock=required;freed=trap"}) {
    lockfast_options options = {};
    CAPTURE(text);
    // One trailing comma ends the last pair and begins none.
    CHECK(parse(text, options) == (std::string_view(text) == "lock=required,"));
  }
}

TEST_CASE("a field that is set keeps its value, one that is not takes the fallback's") {
  lockfast_options asked = {};
  asked.lock = LOCKFAST_LOCK_REQUIRED;
  lockfast_options fallback = {};
  fallback.lock = LOCKFAST_LOCK_PREFERRED;
  fallback.freed = LOCKFAST_FREED_RECYCLE;
  const lockfast_options made = merged(asked, fallback);
  CHECK(made.lock == LOCKFAST_LOCK_REQUIRED);
  CHECK(made.freed == LOCKFAST_FREED_RECYCLE);
  CHECK(made.fork == LOCKFAST_FORK_DEFAULT);
}

TEST_CASE("a value outside its enum is not valid") {
  lockfast_options options = {};
  CHECK(valid(options));
  options.freed = static_cast<lockfast_freed>(3);
  CHECK_FALSE(valid(options));
}
