// calls_test.cc - the table of system calls in docs/platforms.md, against the calls that are made.
#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "lifecycle.h"
#include "own_directory.h"
#include "support/child.h"
#include "traced_calls.h"

// Newer than the C library's headers may be (asm/unistd.h).
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

namespace {

struct named_call {
  const char* name;
  long number;
};

constexpr named_call names[] = {
#include "names.inc"
};

std::string name_of(long number) {
  for (const named_call& each : names) {
    if (each.number == number) return each.name;
  }
  return "call " + std::to_string(number);
}

// The words between backquotes.
std::set<std::string> code_in(const std::string& text) {
  std::set<std::string> found;
  std::istringstream parts(text);
  std::string part;
  for (bool inside = false; std::getline(parts, part, '`'); inside = !inside) {
    if (inside) found.insert(part);
  }
  return found;
}

// The calls that the section names: in the first column of a row, and in the lines of calls of others.
struct table {
  std::set<std::string> ours;         // seen in every run
  std::set<std::string> conditional;  // in rows whose first column ends in a mark: seen where there is reason
  std::set<std::string> others;
};

table documented() {
  table read;
  std::ifstream in(LOCKFAST_SOURCE_FOLDER "/docs/platforms.md");
  bool here = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("## ")) here = line == "## System calls";
    if (!here) continue;
    if (line.starts_with("| `")) {
      const std::string first = line.substr(0, line.find(" | "));
      (first.ends_with("`") ? read.ours : read.conditional).merge(code_in(first));
    } else if (line.starts_with("* The C library") || line.starts_with("* libcrypto") || line.starts_with("  `")) {
      read.others.merge(code_in(line));
    }
  }
  return read;
}

}  // namespace

TEST_CASE("every system call of every type is in the table of docs/platforms.md, and every row of it is called") {
  std::set<std::string> made;
  for (const char* const options : {"crash=wipe", "fork=inherit", "fork=wipe,hidden=off", "hidden=off,freed=recycle"}) {
    const own_directory own;
    const traced_calls seen = calls_of([&] {
      prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
      live_in_c();
      live_in_cxx(own.path());
      live_over_a_fork();
    });
    REQUIRE(seen.complete);
    for (const long number : seen.numbers) made.insert(name_of(number));
  }
  const table told = documented();
  CHECK(told.ours.size() > 20);
  for (const std::string& name : made) {
    CAPTURE(name);
    CHECK((told.ours.contains(name) || told.conditional.contains(name) || told.others.contains(name)));
  }
  for (const std::string& name : told.ours) {
    CAPTURE(name);
    CHECK(made.contains(name));
  }
}
