// core_test.cc - a real core dump of a real process, searched for what must not be in it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/page_state.h"

namespace {

constexpr std::size_t mark_size = 24;
using mark = std::array<unsigned char, mark_size>;

// What is searched for exists nowhere in this program's own memory: each byte is computed where it is written.
void write_mark(void* to, unsigned kind) {
  auto* const bytes = static_cast<volatile unsigned char*>(to);
  for (unsigned at = 0; at < mark_size; ++at) bytes[at] = static_cast<unsigned char>((at * 37 + kind * 101 + 11) ^ 0x5c);
}

bool holds(const std::vector<unsigned char>& core, unsigned kind) {
  mark wanted;
  write_mark(wanted.data(), kind);
  return std::search(core.begin(), core.end(), std::boyer_moore_horspool_searcher(wanted.begin(), wanted.end())) != core.end();
}

enum kinds : unsigned { ordinary, isolated, without_access, large, claimed, freed };

[[noreturn]] void fill_and_abort() {
  // A claim leaves its whole page out, so that the two share none.
  constexpr std::size_t largest_page = 65536;
  alignas(largest_page) static unsigned char here[largest_page];
  alignas(largest_page) static unsigned char there[2 * largest_page];
  write_mark(here + 100, ordinary);

  // In the middle of a page, as a caller's buffers are: libsodium's sodium_mlock leaves such a one in the dump.
  prove(lockfast_mlock(there + largest_page + 77, mark_size) == 0, "a claim");
  write_mark(there + largest_page + 77, claimed);

  struct {
    unsigned kind;
    std::size_t size;
  } const secrets[] = {{isolated, 32}, {without_access, 32}, {large, 1 << 20}, {freed, 32}};
  for (const auto& [kind, size] : secrets) {
    void* const secret = lockfast_malloc_isolated(size);
    prove(secret != nullptr, "a secret");
    write_mark(secret, kind);
    if (kind == without_access) prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "no access");
    if (kind == freed) lockfast_free(secret);
  }
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

// The core that a child leaves in a directory of its own; empty where the system sends cores elsewhere.
std::vector<unsigned char> core_of(void (*body)()) {
  std::string directory = (std::filesystem::temp_directory_path() / "lockfast-core-XXXXXX").string();
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    prove(chdir(directory.c_str()) == 0, "the directory");
    (void)setrlimit(RLIMIT_CORE, &unlimited);
    body();
    _exit(0);
  }
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  REQUIRE(WIFSIGNALED(state));
  CHECK(WTERMSIG(state) == SIGABRT);
  std::vector<unsigned char> core;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::ifstream stream(file.path(), std::ios::binary);
    core.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::filesystem::remove_all(directory);
  return core;
}

}  // namespace

TEST_CASE("a core dump holds ordinary memory, and no secret: isolated, without access, large, claimed or freed") {
  if (!asks_for_advice("a core dump")) return;
  const auto core = core_of(fill_and_abort);
  if (core.empty()) {
    MESSAGE("skipped: this system writes no core file into the working directory");
    return;
  }
  CHECK(holds(core, ordinary));
  for (const unsigned kind : {isolated, without_access, large, claimed, freed}) {
    CAPTURE(kind);
    CHECK_FALSE(holds(core, kind));
  }
}
