// dump_test.cc - core dumps: the kernel's own at a fatal signal, and a debugger's that heeds no mark.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "holder.h"
#include "machine.h"
#include "readers.h"
#include "support/child.h"

namespace {

// What the kernel is to put in: private and shared, anonymous and of files, huge pages (core(5)).
void dump_everything() {
  std::FILE* const filter = std::fopen("/proc/self/coredump_filter", "we");
  prove(filter != nullptr && std::fputs("0x1ff", filter) >= 0 && std::fclose(filter) == 0, "the filter of dumps");
}

// The core that a child leaves in a directory of its own; empty where the system sends cores elsewhere.
std::vector<unsigned char> core_of(const std::function<void()>& body) {
  std::string directory = (std::filesystem::temp_directory_path() / "lockfast-core-XXXXXX").string();
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  std::filesystem::permissions(directory, std::filesystem::perms::all);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    prove(chdir(directory.c_str()) == 0, "the directory");
    (void)setrlimit(RLIMIT_CORE, &unlimited);
    dump_everything();
    body();
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
  }
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  CHECK((WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT));
  std::vector<unsigned char> core;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::ifstream stream(file.path(), std::ios::binary);
    core.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::filesystem::remove_all(directory);
  return core;
}

void check_core(const backing& given) {
  CAPTURE(given.name);
  const unsigned series = next_series();
  const auto core = core_of([&] {
    given.take_on();
    (void)prctl(PR_SET_DUMPABLE, 1);  // a change of user has cleared it
    (void)holding(series);
  });
  if (core.empty()) {
    MESSAGE("skipped: this system writes no core file into the working directory");
    return;
  }
  CHECK(mark{series, ordinary}.found_in(core));
  CHECK(mark{series, shared}.found_in(core));
  for (const unsigned kind : live_secrets) {
    CAPTURE(name_of(kind));
    CHECK_FALSE(mark{series, kind}.found_in(core));
  }
  CHECK_FALSE(mark{series, freed}.found_in(core));
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
