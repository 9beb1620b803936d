// map_test.cc - the allocator's maps: their names, and the seals on those that live as long as the process.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "traced_child.h"

using lockfast::attacks::can_make_calls;

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

namespace {

struct map {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string access;
  std::string name;
  [[nodiscard]] bool holds(const void* byte) const { return begin <= address_of(byte) && address_of(byte) < end; }
};

std::vector<map> maps() {
  std::vector<map> all;
  std::FILE* const file = std::fopen("/proc/self/maps", "re");
  prove(file != nullptr, "the list of maps");
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char access[8] = {};
    char name[256] = {};
    map each;
    if (std::sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &each.begin, &each.end, access, name) < 3) continue;
    each.access = access;
    each.name = name;
    all.push_back(each);
  }
  std::fclose(file);
  return all;
}

// PR_SET_MEMORY_MERGE, Linux 6.4: all that is mapped, and will be, may be merged. False where the kernel merges nothing.
bool merge_everything() { return prctl(67, 1, 0, 0, 0) == 0; }

bool overlaps(const std::vector<map>& all, const map& one) {
  return std::any_of(all.begin(), all.end(), [&](const map& each) { return each.begin < one.end && one.begin < each.end; });
}

// A NUL-terminated text in a stopped process, of the length of what it is compared with.
bool text_is(pid_t process, unsigned long address, const char* wanted) {
  for (std::size_t at = 0; at <= std::strlen(wanted); ++at) {
    errno = 0;
    const long word = ptrace(PTRACE_PEEKDATA, process, reinterpret_cast<void*>(address + at), nullptr);
    if (errno != 0 || static_cast<char>(word & 0xff) != wanted[at]) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("every map that the allocator makes is named lockfast, where the kernel has names") {
  if (!has_map_names()) {
    MESSAGE("skipped: this kernel has no names for maps (CONFIG_ANON_VMA_NAME)");
    return;
  }
  check_clean(in_child([] {
    options("hidden=off");
    const holding held(1);
    const auto all = maps();
    for (const unsigned kind : live_secrets) {
      const auto one = std::find_if(all.begin(), all.end(), [&](const map& each) { return each.holds(held.at[kind]); });
      promised(one != all.end() && one->name == "[anon:lockfast]", name_of(kind).c_str());
    }
  }));
}

// A kernel without names is asked for one once: then the debugger answers for one that has them.
TEST_CASE("the allocator asks the kernel for the name lockfast, for the maps of isolated and grouped secrets alike") {
  const bool kernel_names = has_map_names();
  if (!kernel_names && !can_make_calls()) {
    MESSAGE("skipped: this kernel has no names for maps (CONFIG_ANON_VMA_NAME)");
    return;
  }
  struct named {
    std::uintptr_t begin;
    std::uintptr_t end;
  };
  std::vector<named> all;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto names = [](long number, const call_arguments& with) {
    return number == SYS_prctl && with[0] == PR_SET_VMA && with[1] == PR_SET_VMA_ANON_NAME;
  };
  happenings on;
  on.pretends = [&](long number, const call_arguments& with) { return !kernel_names && names(number, with); };
  on.before_call = [&](pid_t process, long number, const call_arguments& with) {
    if (!names(number, with)) return;
    if (text_is(process, with[4], "lockfast")) all.push_back({with[2], with[2] + with[3]});
  };
  const int ended = trace_child(
      [&] {
        options("hidden=off");
        const holding held(1);
        prove(write(ends[1], &held, sizeof held) == static_cast<ssize_t>(sizeof held), "a report");
      },
      on);
  CHECK(ended == 0);
  alignas(holding) unsigned char sent[sizeof(holding)];
  REQUIRE(read(ends[0], sent, sizeof sent) == static_cast<ssize_t>(sizeof sent));
  const holding held = *reinterpret_cast<const holding*>(sent);
  for (const unsigned kind : live_secrets) {
    CAPTURE(name_of(kind));
    CHECK(std::any_of(all.begin(), all.end(), [&](const named& each) {
      return each.begin <= address_of(held.at[kind]) && address_of(held.at[kind]) < each.end;
    }));
  }
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE(
    "code that is tricked into unmapping, closing or replacing the allocator's records is refused, where the kernel seals") {
  if (!has_seals()) {
    MESSAGE("skipped: this kernel has no mseal");
    return;
  }
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    check_clean(in_child([&] {
      given.take_on();
      const auto before = maps();
      void* const alone = lockfast_malloc_isolated(48);
      void* const beside = lockfast_malloc(48);
      prove(alone != nullptr && beside != nullptr, "secrets");
      constexpr std::uintptr_t unit = std::uintptr_t{4} << 20;
      std::size_t sealed = 0;
      for (const map& each : maps()) {
        if (overlaps(before, each) || (!each.name.empty() && each.name != "[anon:lockfast]")) continue;
        const auto near = [&](const void* secret) {
          return each.end > address_of(secret) / unit * unit && each.begin < (address_of(secret) / unit + 1) * unit;
        };
        if (near(alone) || near(beside)) continue;  // regions come and go, and are not sealed
        auto* const at = reinterpret_cast<void*>(each.begin);
        promised(munmap(at, page_size()) == -1 && errno == EPERM, "not unmapped");
        promised(mprotect(at, page_size(), PROT_NONE) == -1 && errno == EPERM, "not closed");
        promised(
            mmap(at, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM,
            "not replaced");
        if (each.access == "rw-p") ++sealed;
      }
      promised(sealed >= 1, "records were found");
      void* const own = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      promised(mprotect(own, page_size(), PROT_NONE) == 0 && munmap(own, page_size()) == 0,
               "the control: memory without a seal");
      lockfast_free(alone);
      lockfast_free(beside);
    }));
  }
}

TEST_CASE(
    "no secret's page is in dumps, merged with equal ones, or part of a huge page, though the process asks for all of it") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    check_clean(in_child([&] {
      const bool merges = merge_everything();
      const std::size_t size = std::size_t{4} << 20;
      void* const plain = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      prove(plain != MAP_FAILED && madvise(plain, size, MADV_HUGEPAGE) == 0, "ordinary memory that may be huge pages");
      const page_state control = state_of(plain);
      prove(!control.has("dd") && control.has("hg") && control.has("mg") == merges, "the control");

      given.take_on();
      const holding held(1);
      for (const unsigned kind : live_secrets) {
        const page_state state = state_of(held.at[kind]);
        promised(state.mapped && !state.has("mg"), "not merged");
        // What is hidden is a file of its own: no huge pages, and no dumps whatever the flags say.
        promised(state.hidden || state.has("nh"), "no huge page");
        promised(state.hidden || state.has("dd"), "no dump");
      }
    }));
  }
}

TEST_CASE(
    "not held: a program that asks the kernel to merge all its pages when secrets live has those merged that are not hidden") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    check_clean(in_child([&] {
      given.take_on();
      const holding held(1);
      if (!merge_everything()) skip("this kernel merges nothing (CONFIG_KSM, Linux 6.4)");
      for (const unsigned kind : live_secrets) {
        promised(state_of(held.at[kind]).has("mg") == (given.kind != LOCKFAST_HIDDEN), name_of(kind).c_str());
      }
    }));
  }
}
