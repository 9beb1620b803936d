// calls_test.cc - the table of system calls in docs/platforms.md, against the calls that are made; and what is asked once.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <lockfast/lockfast.hpp>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

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

// Linux 5.17, where the kernel was built with it: "[anon:name]" in /proc/PID/maps. Older headers do not name it.
bool kernel_names_maps() {
  constexpr int set_vma = 0x53564d41;
  constexpr unsigned long set_vma_name = 0;
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const mapped = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool named = mapped != MAP_FAILED && prctl(set_vma, set_vma_name, mapped, size, "probe") == 0;
  if (mapped != MAP_FAILED) munmap(mapped, size);
  return named;
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
    for (const auto& [number, count] : seen.counts) made.insert(name_of(number));
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

TEST_CASE("where many secrets live, a fresh one costs no look at the filters of its own") {
  constexpr std::size_t many = 400;
  for (const char* const options : {"hidden=off", "hidden=auto", "hidden=off,freed=recycle"}) {
    CAPTURE(options);
    const traced_calls seen = calls_of([&] {
      prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
      for (std::size_t count = 0; count < many; ++count) prove(lockfast_malloc_isolated(32) != nullptr, "a secret");
    });
    REQUIRE(seen.complete);
    const auto looks = seen.counts.find(SYS_openat);
    REQUIRE(looks != seen.counts.end());
    CHECK(looks->second < many / 4);
  }
}

TEST_CASE(
    "where locks are used up, a new secret that takes the pages of a closed one costs no look at the filters of its own") {
  constexpr std::size_t many = 600;
  const traced_calls seen = calls_of([] {
    const rlim_t half_of_them = many / 2 * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
    const rlimit limit = {half_of_them, half_of_them};
    prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "the limit");
    if (geteuid() == 0) prove(setresuid(65534, 65534, 65534) == 0, "a user whom it holds for");
    prove(prctl(PR_SET_DUMPABLE, 1) == 0, "a look at the filters");
    prove(set_variable("LOCKFAST_OPTIONS", "hidden=off,lock=required"), "the options");
    for (std::size_t count = 0; count < many; ++count) {
      void* const made = lockfast_malloc_isolated(32);
      prove(made != nullptr && lockfast_protect(made, LOCKFAST_NOACCESS) == 0, "a secret that rests");
    }
  });
  REQUIRE(seen.complete);
  const auto looks = seen.counts.find(SYS_openat);
  REQUIRE(looks != seen.counts.end());
  CHECK(looks->second < many / 4);
}

TEST_CASE("between guard markers a secret costs no look at the filters of its own, neither when it comes nor when it goes") {
  constexpr std::size_t many = 5000;  // markers begin at 4,096, and as many page runs are kept of those that are freed
  const traced_calls seen = calls_of([] {
    prove(set_variable("LOCKFAST_OPTIONS", "hidden=off,lock=preferred"), "the options");
    std::vector<void*> all;
    for (std::size_t count = 0; count < many; ++count) {
      all.push_back(lockfast_malloc_isolated(32));
      prove(all.back() != nullptr, "a secret");
    }
    for (void* const each : all) lockfast_free(each);
  });
  REQUIRE(seen.complete);
  const auto looks = seen.counts.find(SYS_openat);
  REQUIRE(looks != seen.counts.end());
  CHECK(looks->second < many / 4);
}

TEST_CASE("a kernel without names for maps is asked for one once") {
  if (kernel_names_maps()) return;
  constexpr std::size_t many = 400;  // more than rest idle: the pages of the others go back, and their address space is settled
  for (const char* const options : {"hidden=off", "hidden=auto"}) {
    CAPTURE(options);
    const traced_calls seen = calls_of([&] {
      prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
      void* secrets[many];
      for (void*& each : secrets) {
        each = lockfast_malloc_isolated(32);
        prove(each != nullptr, "a secret");
      }
      for (void* const each : secrets) lockfast_free(each);
      prove(lockfast_trim() != 0, "pages to give back");
    });
    REQUIRE(seen.complete);
    const auto named = seen.counts.find(SYS_prctl);
    CHECK((named == seen.counts.end() ? 0 : named->second) <= 1);
  }
}

TEST_CASE("a save has its file on the disk, and then the folder that names it") {
  const own_directory own;
  const traced_calls seen = calls_of([&] {
    lockfast::vault records;
    prove(records.insert(*lockfast::buffer<std::byte>::zeroed(32)).has_value(), "a record");
    char typed[] = "four words of mine";
    const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
    prove(phrase && records.save((own.path() / "records").string(), *phrase, {.cost = 10}).has_value(), "a save");
  });
  REQUIRE(seen.complete);
  const auto synced = seen.counts.find(SYS_fsync);
  REQUIRE(synced != seen.counts.end());
  CHECK(synced->second == 2);
}
