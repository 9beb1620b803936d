// memory_limit_test.cc - requests that the machine, or the memory cgroup of the process, has no memory for.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include "support/check.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/sanitized.h"

namespace {

using clock_type = std::chrono::steady_clock;
constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t limit = 256 * mebibyte;

bool write_to(const std::string& file, const std::string& text) {
  std::FILE* const to = std::fopen(file.c_str(), "w");
  if (to == nullptr) return false;
  const bool written = std::fputs(text.c_str(), to) >= 0;
  return std::fclose(to) == 0 && written;
}

// A memory cgroup with a limit and one without a limit within it, in which a child can be; gone at the end of the scope.
class limited_group {
 public:
  limited_group() {
    const std::string name = "/lockfast-test-" + std::to_string(getpid());
    for (const bool second : {false, true}) {
      const std::string top = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
      if (second) (void)write_to(top + "/cgroup.subtree_control", "+memory");
      outer_ = top + name;
      const std::string limit_file = outer_ + (second ? "/memory.max" : "/memory.limit_in_bytes");
      if (mkdir(outer_.c_str(), 0755) != 0) continue;
      if (mkdir(inner().c_str(), 0755) == 0 && access(limit_file.c_str(), W_OK) == 0 &&
          write_to(limit_file, std::to_string(limit))) {
        // Swap would be room.
        (void)write_to(outer_ + (second ? "/memory.swap.max" : "/memory.swappiness"), "0");
        made_ = true;
        return;
      }
      remove();
    }
  }
  ~limited_group() {
    if (made_) remove();
  }
  limited_group(const limited_group&) = delete;
  limited_group& operator=(const limited_group&) = delete;

  // Moves this child into the inner one.
  void enter() const {
    if (!made_) skip("no memory cgroup can be made here");
    if (!write_to(inner() + "/cgroup.procs", std::to_string(getpid()))) skip("no memory cgroup can be entered here");
  }

 private:
  [[nodiscard]] std::string inner() const { return outer_ + "/inner"; }
  void remove() const {
    (void)rmdir(inner().c_str());
    (void)rmdir(outer_.c_str());
  }

  std::string outer_;
  bool made_ = false;
};

void refused(const void* made) { promised(made == nullptr && errno == ENOMEM, "ENOMEM"); }

void* in_compartment(std::size_t size) {
  struct lockfast_compartment* const keys = lockfast_compartment_create();
  prove(keys != nullptr, "a compartment");
  return lockfast_compartment_malloc(keys, size);
}

}  // namespace

TEST_CASE("in a memory cgroup of 256 MiB a secret of 1 GB is refused, hidden, locked or unlocked, and the process lives") {
  const limited_group group;
  for (const char* const options : {"", "hidden=off", "hidden=off,lock=preferred", "freed=recycle"}) {
    CAPTURE(options);
    check_clean(in_child([&] {
      if (sanitized) skip("a sanitizer's memory is beyond the limit");
      prove(set_variable("LOCKFAST_OPTIONS", options), "the variable");
      group.enter();
      refused(lockfast_malloc_isolated(1000 * mebibyte));
      refused(lockfast_malloc(limit));
      refused(lockfast_aligned_alloc(8192, 1000 * mebibyte));
      refused(in_compartment(1000 * mebibyte));
      void* const small = lockfast_malloc_isolated(mebibyte);
      promised(small != nullptr, "what there is room for");
      std::memset(small, 'x', mebibyte);
      refused(lockfast_realloc(small, 1000 * mebibyte));
      promised(*static_cast<char*>(small) == 'x', "as it was");
    }));
  }
}

TEST_CASE("in a memory cgroup a secret is had that fits, though the cgroup is full of files' pages") {
  const limited_group group;
  check_clean(in_child([&] {
    if (sanitized) skip("a sanitizer's memory is beyond the limit");
    prove(set_variable("LOCKFAST_OPTIONS", "hidden=off,lock=preferred"), "the variable");
    group.enter();
    std::FILE* const file = std::tmpfile();
    if (file == nullptr) skip("no file");
    static char block[65536];
    for (std::size_t written = 0; written < limit; written += sizeof block) {
      if (std::fwrite(block, 1, sizeof block, file) != sizeof block) skip("no room for a file");
    }
    if (std::fflush(file) != 0 || fsync(fileno(file)) != 0) skip("no room for a file");
    void* const made = lockfast_malloc_isolated(128 * mebibyte);
    promised(made != nullptr, "a secret");
    lockfast_free(made);
  }));
}

TEST_CASE("a secret larger than the machine's memory is refused at once") {
  if (sizeof(void*) < 8 || !asks_for_own_process("2^40 bytes, page by page")) return;
  for (const char* const options : {"", "hidden=off", "hidden=off,lock=preferred"}) {
    CAPTURE(options);
    check_clean(in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", options), "the variable");
      const auto before = clock_type::now();
      const std::size_t pages = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES));
      // As much again may be swap.
      refused(lockfast_malloc_isolated(3 * pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE))));
      refused(lockfast_malloc_isolated(static_cast<std::size_t>(1ULL << 40)));
      promised(clock_type::now() - before < std::chrono::seconds(5), "at once");
    }));
  }
}
