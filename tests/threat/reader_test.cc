// reader_test.cc - other processes that read a process's memory: root's tools, another user's, the same user's; and code within.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/reach.h"
#include "tools/attacks/readers.h"
#include "tools/attacks/tracer.h"

using namespace lockfast::attacks;

namespace {

bool root() {
  if (geteuid() != 0) MESSAGE("skipped: the attacker has to be root");
  return geteuid() == 0;
}

// Fails, naming secret and way, for each secret of a victim that the attacker reads.
void check_unread(const holder& victim) {
  for (const unsigned kind : live_secrets) {
    for (const reader* const way : by_address) {
      CAPTURE(name_of(kind));
      CAPTURE(way->name);
      CHECK_FALSE(way->reads(victim.process(), victim.at(kind), victim.of(kind)));
    }
  }
}

void check_control(const holder& victim) {
  for (const reader* const way : by_address) {
    CAPTURE(way->name);
    CHECK(way->reads(victim.process(), victim.at(ordinary), victim.of(ordinary)));
  }
}

constexpr const char* locked_options = "hidden=off";

// A user's process, which that user's other processes may trace.
void as_ordinary_user() { become_ordinary(std::size_t{8} << 20); }

}  // namespace

TEST_CASE("root reads ordinary memory by /proc/PID/mem, process_vm_readv and ptrace, and no hidden secret, open or closed") {
  if (!root() || !has_hidden_memory()) return;
  const holder victim("hidden=on");
  REQUIRE(victim.holds(LOCKFAST_HIDDEN));
  check_control(victim);
  check_unread(victim);
}

TEST_CASE("root writes ordinary memory through /proc/PID/mem, and no hidden secret") {
  if (!root() || !has_hidden_memory()) return;
  const holder victim("hidden=on");
  REQUIRE(victim.holds(LOCKFAST_HIDDEN));
  const mark forged{next_series(), ordinary};
  CHECK(overwrites(victim.process(), victim.at(ordinary), forged));
  CHECK(memory_file.reads(victim.process(), victim.at(ordinary), forged));
  for (const unsigned kind : live_secrets) {
    CAPTURE(name_of(kind));
    CHECK_FALSE(overwrites(victim.process(), victim.at(kind), forged));
  }
}

TEST_CASE(
    "not held: root reads and writes locked and unlocked secrets; closing one, if not by a key, stops process_vm_readv, not "
    "ptrace") {
  if (!root()) return;
  for (const backing& each : backings()) {
    if (each.kind == LOCKFAST_HIDDEN) continue;
    CAPTURE(each.name);
    const holder victim(each);
    REQUIRE(victim.holds(each.kind));
    check_control(victim);
    for (const unsigned kind : open_secrets) {
      for (const reader* const way : by_address) {
        CAPTURE(name_of(kind));
        CAPTURE(way->name);
        CHECK(way->reads(victim.process(), victim.at(kind), victim.of(kind)));
      }
    }
    for (const unsigned kind : closed_secrets) {
      CAPTURE(name_of(kind));
      CHECK(peek_data.reads(victim.process(), victim.at(kind), victim.of(kind)));
      CHECK(vm_read.reads(victim.process(), victim.at(kind), victim.of(kind)) == victim.closed_by_key(kind));
      // By the kernel's version: up to 6.18 this file opens what is closed, as a debugger does.
      const std::string by_file = memory_file.reads(victim.process(), victim.at(kind), victim.of(kind)) ? "read" : "refused";
      MESSAGE("by /proc/PID/mem: " << by_file);
    }
    CHECK(overwrites(victim.process(), victim.at(isolated), mark{next_series(), isolated}));
  }
}

TEST_CASE("an attacker who duplicates a process's descriptors, or opens the files of its maps, finds no secret behind them") {
  if (!root()) return;
  for (const backing& each : backings()) {
    CAPTURE(each.name);
    const holder victim(each);
    REQUIRE(victim.holds(each.kind));
    CHECK(steals_by_descriptor(victim.process(), victim.of(shared)));
    CHECK(map_file.reads(victim.process(), victim.at(shared), victim.of(shared)));
    for (const unsigned kind : live_secrets) {
      CAPTURE(name_of(kind));
      CHECK_FALSE(steals_by_descriptor(victim.process(), victim.of(kind)));
      CHECK_FALSE(map_file.reads(victim.process(), victim.at(kind), victim.of(kind)));
    }
  }
}

TEST_CASE("not held: a debugger that makes the process itself write has open secrets, hidden ones too, and opens closed ones") {
  if (!has_hidden_memory()) return;
  if (!can_make_calls()) {
    MESSAGE("skipped: the debugger is written for x86-64");
    return;
  }
  const holder victim("hidden=on");
  REQUIRE(victim.holds(LOCKFAST_HIDDEN));
  const tracer attached(victim.process());
  REQUIRE(static_cast<bool>(attached));
  std::array<unsigned char, mark_size> seen;
  const auto written = [&](unsigned kind) {
    seen = {};
    return write_out(victim.process(), victim.at(kind), seen.data(), seen.size(), victim.out()) == mark_size &&
           victim.of(kind).stands_at(seen.data());
  };
  CHECK(written(ordinary));
  for (const unsigned kind : open_secrets) CHECK(written(kind));
  // At rest a secret holds out against all but whoever can change its access too.
  for (const unsigned kind : closed_secrets) {
    CAPTURE(name_of(kind));
    CHECK_FALSE(written(kind));
    CHECK(open_in(victim.process(), victim.at(kind)) == 0);
    CHECK(written(kind));
  }
}

TEST_CASE("another user's process reads nothing of a secret of any backing, while it reads its own user's memory") {
  if (!root()) return;
  const holder own(locked_options, [] { become_ordinary(std::size_t{8} << 20, other_user); });
  for (const backing& each : backings()) {
    CAPTURE(each.name);
    const holder victim(each);
    REQUIRE(victim.holds(each.kind));
    check_clean(in_child([&] {
      become_ordinary(0, other_user);
      for (const reader* const way : by_address) {
        promised(way->reads(own.process(), own.at(ordinary), own.of(ordinary)), "the control");
        promised(!way->reads(victim.process(), victim.at(ordinary), victim.of(ordinary)), "even ordinary memory is another's");
        for (const unsigned kind : live_secrets) {
          promised(!way->reads(victim.process(), victim.at(kind), victim.of(kind)), name_of(kind).c_str());
        }
      }
      promised(steals_by_descriptor(own.process(), own.of(shared)), "the control of descriptors");
      promised(!steals_by_descriptor(victim.process(), victim.of(shared)), "no descriptor");
    }));
  }
}

TEST_CASE("another process of the same user reads ordinary memory and secrets that are not hidden, and no hidden one") {
  for (const backing& each : backings()) {
    CAPTURE(each.name);
    const holder victim(each.options, [&] {
      as_ordinary_user();
      each.first();
    });
    REQUIRE(victim.holds(each.kind));
    check_clean(in_child([&] {
      become_ordinary(0);
      for (const reader* const way : by_address) {
        promised(way->reads(victim.process(), victim.at(ordinary), victim.of(ordinary)), "the control");
        for (const unsigned kind : live_secrets) {
          const bool closed = kind == isolated_closed || kind == compartment_closed;
          if (closed && each.kind != LOCKFAST_HIDDEN) continue;
          const bool seen = way->reads(victim.process(), victim.at(kind), victim.of(kind));
          promised(seen == (each.kind != LOCKFAST_HIDDEN), name_of(kind).c_str());
        }
      }
    }));
  }
}

TEST_CASE(
    "not held: code in the process reads every open secret; a closed one traps until that code opens it, or asks the kernel "
    "past a key") {
  for (const backing& each : backings()) {
    CAPTURE(each.name);
    check_clean(in_child([&] {
      each.take_on();
      const holding held(1);
      for (const unsigned kind : open_secrets) promised(held.whole(kind), "an open secret is read");
      for (const unsigned kind : closed_secrets) {
        std::array<unsigned char, mark_size> seen = {};
        const iovec to{seen.data(), seen.size()};
        const iovec from{held.at[kind], seen.size()};
        const bool read = process_vm_readv(getpid(), &to, 1, &from, 1, 0) != -1;
        const bool past_key = held.closed_by_key(kind) && each.kind != LOCKFAST_HIDDEN;
        promised(read == past_key, "a closed one is read by the kernel's leave only past a key");
        promised(!readable_here(held.at[kind]), "nor by this thread's");
      }
      held.open_all();
      for (const unsigned kind : closed_secrets) promised(held.whole(kind), "an opened one is read");
    }));
  }
}
