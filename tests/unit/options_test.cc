// options_test.cc - what LOCKFAST_OPTIONS may say, and whose word counts.
#include "allocator/options.h"

#include <doctest/doctest.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include "allocator/report.h"

using namespace lockfast::internal;

namespace {

bool parse(const char* text, lockfast_options& options) {
  options_fault fault;
  static char room[64];
  return parse(text, options, fault, room);
}

// Empty where there is none.
std::string fault_of(const char* text) {
  lockfast_options options = {};
  options_fault fault;
  char room[64];
  const bool read = parse(text, options, fault, room);
  CHECK(read == fault.text().empty());
  return {fault.text().data(), fault.text().size()};
}

}  // namespace

TEST_CASE("every key takes its values") {
  lockfast_options options = {};
  REQUIRE(parse("lock=preferred,hidden=off,fork=wipe,freed=recycle,placement=grouped,crash=wipe,native_placement=isolated,"
                "notice=stderr,quarantine=hold,idle=few",
                options));
  CHECK(options.lock == LOCKFAST_LOCK_PREFERRED);
  CHECK(options.hidden == LOCKFAST_HIDDEN_OFF);
  CHECK(options.fork == LOCKFAST_FORK_WIPE);
  CHECK(options.freed == LOCKFAST_FREED_RECYCLE);
  CHECK(options.placement == LOCKFAST_PLACEMENT_GROUPED);
  CHECK(options.crash == LOCKFAST_CRASH_WIPE);
  CHECK(options.native_placement == LOCKFAST_PLACEMENT_ISOLATED);
  CHECK(options.notice == LOCKFAST_NOTICE_STDERR);
  CHECK(options.quarantine == LOCKFAST_QUARANTINE_HOLD);
  CHECK(options.idle == LOCKFAST_IDLE_FEW);
  REQUIRE(parse("lock=required,hidden=auto,fork=absent,freed=trap,placement=isolated,crash=none,native_placement=grouped,"
                "notice=none,quarantine=yield,idle=auto",
                options));
  CHECK(options.lock == LOCKFAST_LOCK_REQUIRED);
  CHECK(options.hidden == LOCKFAST_HIDDEN_AUTO);
  CHECK(options.fork == LOCKFAST_FORK_ABSENT);
  CHECK(options.freed == LOCKFAST_FREED_TRAP);
  CHECK(options.placement == LOCKFAST_PLACEMENT_ISOLATED);
  CHECK(options.crash == LOCKFAST_CRASH_NONE);
  CHECK(options.native_placement == LOCKFAST_PLACEMENT_GROUPED);
  CHECK(options.notice == LOCKFAST_NOTICE_NONE);
  CHECK(options.quarantine == LOCKFAST_QUARANTINE_YIELD);
  CHECK(options.idle == LOCKFAST_IDLE_AUTO);
}

TEST_CASE("nothing, and an empty string, say nothing") {
  lockfast_options options = {};
  CHECK(parse(nullptr, options));
  CHECK(parse("", options));
  CHECK(options.lock == LOCKFAST_LOCK_DEFAULT);
}

TEST_CASE("a key that is given twice is refused, with the same value too") {
  for (const char* const text : {"freed=trap,freed=recycle", "freed=trap,freed=trap", "freed=trap,lock=required,freed=trap"}) {
    CHECK(fault_of(text) == "a key twice: 'freed'");
  }
}

TEST_CASE("an unknown key, an unknown value and a pair without a sign are refused") {
  for (const char* const text : {"lock", "lock=", "=required", "lock=always", "locks=required", "lock=required,", ",",
                                 "lock=required, freed=trap", "LOCK=required", "lock=required;freed=trap"}) {
    CAPTURE(text);
    // One trailing comma ends the last pair and begins none.
    CHECK(fault_of(text).empty() == (std::string_view(text) == "lock=required,"));
  }
}

TEST_CASE("a refusal names the pair, and what may stand there") {
  CHECK(fault_of("lock=always") == "an unknown key or value: 'lock=always'; values of lock: required, preferred");
  CHECK(fault_of("lock=required,hidden") == "an unknown key or value: 'hidden'; values of hidden: auto, on, off");
  CHECK(fault_of("lock=required, freed=trap") ==
        "an unknown key or value: ' freed=trap'; keys: lock, hidden, fork, freed, placement, native_placement, notice, crash, "
        "quarantine, rest, idle, report_map, report_addresses, report");
  CHECK(fault_of("\x1b[31m=\n,lock=required").starts_with("an unknown key or value: '?[31m=?'; keys: "));
  const std::string long_word(1000, 'x');
  CHECK(fault_of(long_word.c_str()).starts_with("an unknown key or value: '" + std::string(40, 'x') + "...'; keys: lock, "));
  CHECK(fault_of(long_word.c_str()).ends_with(", report"));
}

TEST_CASE("a report's destination is any text that fits, and not an empty one") {
  lockfast_options options = {};
  REQUIRE(parse("report=/tmp/a=b,report_map=on,report_addresses=off", options));
  CHECK(std::string(options.report) == "/tmp/a=b");
  CHECK(options.report_map == LOCKFAST_REPORT_MAP_ON);
  CHECK(options.report_addresses == LOCKFAST_REPORT_ADDRESSES_OFF);
  REQUIRE(parse("report_map=off,report_addresses=on", options));
  CHECK(options.report_map == LOCKFAST_REPORT_MAP_OFF);
  CHECK(options.report_addresses == LOCKFAST_REPORT_ADDRESSES_ON);
  CHECK(fault_of("report=").ends_with("values of report: none, stderr, FD, PATH"));
  CHECK(fault_of(("report=" + std::string(64, 'x')).c_str()).ends_with("values of report: none, stderr, FD, PATH"));
  CHECK(fault_of("report=1,report=1") == "a key twice: 'report'");
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

TEST_CASE("a value beyond the last of its enum, or below the first, is not valid in any field") {
  const auto refuses = [](auto lockfast_options::* field, unsigned last, const char* name) {
    lockfast_options options = {};
    const auto store = [&](unsigned value) { std::memcpy(&(options.*field), &value, sizeof value); };
    store(last);
    CHECK(invalid_field(options) == nullptr);
    for (const unsigned value : {last + 1, ~0u, 1u << 31}) {
      store(value);
      const char* const found = invalid_field(options);
      REQUIRE(found != nullptr);
      CHECK(std::string(found) == name);
    }
  };
  refuses(&lockfast_options::lock, LOCKFAST_LOCK_PREFERRED, "lock");
  refuses(&lockfast_options::hidden, LOCKFAST_HIDDEN_OFF, "hidden");
  refuses(&lockfast_options::fork, LOCKFAST_FORK_ABSENT, "fork");
  refuses(&lockfast_options::freed, LOCKFAST_FREED_RECYCLE, "freed");
  refuses(&lockfast_options::placement, LOCKFAST_PLACEMENT_GROUPED, "placement");
  refuses(&lockfast_options::crash, LOCKFAST_CRASH_WIPE, "crash");
  refuses(&lockfast_options::native_placement, LOCKFAST_PLACEMENT_GROUPED, "native_placement");
  refuses(&lockfast_options::notice, LOCKFAST_NOTICE_STDERR, "notice");
  refuses(&lockfast_options::quarantine, LOCKFAST_QUARANTINE_HOLD, "quarantine");
  refuses(&lockfast_options::environment, LOCKFAST_ENVIRONMENT_IGNORED, "environment");
  refuses(&lockfast_options::rest, LOCKFAST_REST_KEEP, "rest");
  refuses(&lockfast_options::idle, LOCKFAST_IDLE_FEW, "idle");
  refuses(&lockfast_options::report_map, LOCKFAST_REPORT_MAP_ON, "report_map");
  refuses(&lockfast_options::report_addresses, LOCKFAST_REPORT_ADDRESSES_ON, "report_addresses");
}

TEST_CASE("a report's destination in a field is valid as long as it has room") {
  lockfast_options options = {};
  const std::string longest(lockfast::internal::report::max_destination - 1, 'x');
  options.report = longest.c_str();
  CHECK(invalid_field(options) == nullptr);
  const std::string longer = longest + 'x';
  options.report = longer.c_str();
  REQUIRE(invalid_field(options) != nullptr);
  CHECK(std::string(invalid_field(options)) == "report");
}
