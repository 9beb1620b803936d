// dump_test.cc - core dumps: the kernel's own at a fatal signal, and a debugger's that heeds no mark.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/prctl.h>

#include <csignal>

#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "tools/attacks/core_file.h"
#include "tools/attacks/readers.h"

using namespace lockfast::attacks;

namespace {

void check_core(const backing& given) {
  CAPTURE(given.name);
  const unsigned series = next_series();
  const core_file core = core_of([&] {
    given.take_on();
    (void)prctl(PR_SET_DUMPABLE, 1);  // a change of user has cleared it
    (void)holding(series);
  });
  CHECK(core.signal == SIGABRT);
  if (core.bytes.empty()) {
    MESSAGE("skipped: this system writes no core file into the working directory");
    return;
  }
  CHECK(mark{series, ordinary}.found_in(core.bytes));
  CHECK(mark{series, shared}.found_in(core.bytes));
  for (const unsigned kind : live_secrets) {
    CAPTURE(name_of(kind));
    CHECK_FALSE(mark{series, kind}.found_in(core.bytes));
  }
  CHECK_FALSE(mark{series, freed}.found_in(core.bytes));
}

}  // namespace

TEST_CASE("a core dump holds all ordinary memory, private and shared, and no secret: hidden, locked or unlocked") {
  if (sanitized()) {
    MESSAGE("skipped: a sanitizer's memory of its own makes a core file of terabytes, with holes");
    return;
  }
  for (const backing& each : backings()) check_core(each);
}

TEST_CASE("a debugger's dump of every map holds ordinary memory and no hidden secret") {
  if (!has_hidden_memory()) return;
  const holder victim("hidden=on");
  REQUIRE(victim.holds(LOCKFAST_HIDDEN));
  const memory_dump dump(victim.process());
  CHECK(dump.holds(victim.of(ordinary)));
  for (const unsigned kind : live_secrets) {
    CAPTURE(name_of(kind));
    CHECK_FALSE(dump.holds(victim.of(kind)));
  }
}

TEST_CASE("not held: a debugger's dump of every map holds open secrets that are not hidden; freed ones are in none") {
  for (const backing& each : backings()) {
    if (each.kind == LOCKFAST_HIDDEN) continue;
    CAPTURE(each.name);
    const holder victim(each);
    REQUIRE(victim.holds(each.kind));
    const memory_dump dump(victim.process());
    CHECK(dump.holds(victim.of(ordinary)));
    for (const unsigned kind : open_secrets) {
      CAPTURE(name_of(kind));
      CHECK(dump.holds(victim.of(kind)));
    }
    CHECK_FALSE(dump.holds(victim.of(freed)));
  }
}

TEST_CASE("a debugger's dump of every map holds no sealed secret, and its key lies in hidden memory where there is some") {
  for (const backing& each : backings()) {
    if (each.kind == LOCKFAST_UNLOCKED) continue;
    CAPTURE(each.name);
    const holder victim(each.options + ",rest=seal", each.first);
    REQUIRE(victim.holds(each.kind));
    REQUIRE(victim.at_rest().rest == LOCKFAST_SEALED);
    CHECK(victim.at_rest().backing == each.kind);  // that of the key
    const memory_dump dump(victim.process());
    CHECK(dump.holds(victim.of(ordinary)));
    CHECK(dump.holds(victim.of(isolated)) == (each.kind == LOCKFAST_LOCKED));  // a control: what is read of locked memory
    CHECK_FALSE(dump.holds(victim.of(isolated_closed)));
  }
}
