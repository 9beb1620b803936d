// outside.cc - the victim sleeps, with one secret; others look for it.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <initializer_list>

#include "tools/attacks/core_file.h"
#include "tools/attacks/paging.h"
#include "tools/attacks/pages.h"
#include "tools/attacks/readers.h"
#include "tools/attacks/tracer.h"
#include "tools/heist/attack.h"
#include "tools/rights.h"

namespace lockfast::tools {
namespace {

using namespace attacks;

enum class secret { live, freed };

struct victim {
  pid_t process;
  void* address;
  tap out;  // for a debugger that makes the victim write
};

[[noreturn]] void be_victim(stage& on, const subject& whose, secret is, int out, int lifeline) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const auto from = whose.take_up();
    void* const block = new_secret(*from, whose);
    if (is == secret::freed) from->release(block);
    if (write(out, &block, sizeof block) != sizeof block) _exit(1);
    char nothing;
    (void)!read(lifeline, &nothing, 1);  // until the attacker ends
  } catch (const std::exception& fault) {
    on.not_tried(fault.what());
  }
  _exit(0);
}

// Starts a victim. A parent may trace its child as a debugger does, unless the system forbids all tracing.
victim victim_of(stage& on, const subject& whose, secret is = secret::live) {
  int out[2], life[2];
  if (pipe(out) != 0 || pipe(life) != 0) on.not_tried("no pipe could be made");
  victim made{fork(), nullptr, {out[1], out[0]}};
  if (made.process < 0) on.not_tried("no process could be started");
  if (made.process == 0) {
    close(life[1]);
    be_victim(on, whose, is, out[1], life[0]);
  }
  const bool ready = fcntl(out[0], F_SETFL, O_NONBLOCK) == 0;
  for (int status = 0; ready && read(out[0], &made.address, sizeof made.address) != sizeof made.address; usleep(200)) {
    if (waitpid(made.process, &status, WNOHANG) != 0) on.not_tried("the victim could not be set up");
  }
  (void)fcntl(out[0], F_SETFL, 0);
  return made;
}

void without_rights(stage& on) {
  if (!give_up_rights()) on.not_tried("the rights of root could not be given up");
}

[[noreturn]] void read_by(stage& on, const victim& of, std::initializer_list<const reader*> ways) {
  for (const reader* const way : ways) {
    if (way->reads(of.process, of.address, secret_bytes)) on.fell("by " + way->name);
  }
  on.held("the kernel refuses");
}

// Neither of the two started the other.
outcome read_by_sibling(const subject& whose) {
  return attempt([&](stage& on) {
    without_rights(on);
    const victim of = victim_of(on, whose);
    const pid_t attacker = fork();
    if (attacker == 0) read_by(on, of, {&vm_read, &memory_file, &peek_data});
    (void)waitpid(attacker, nullptr, 0);
  });
}

outcome read_by_debugger(const subject& whose) {
  return attempt([&](stage& on) {
    without_rights(on);
    read_by(on, victim_of(on, whose), {&peek_data});
  });
}

outcome read_by_root(const subject& whose) {
  return attempt([&](stage& on) { read_by(on, victim_of(on, whose), {&memory_file, &vm_read, &peek_data}); });
}

outcome written_for_debugger(const subject& whose) {
  return attempt([&](stage& on) {
    without_rights(on);
    const victim of = victim_of(on, whose);
    const tracer attached(of.process);
    if (!attached) on.held("the kernel refuses");
    std::array<unsigned char, mark_size> seen = {};
    const long size = write_out(of.process, of.address, seen.data(), seen.size(), of.out);
    if (size == static_cast<long>(mark_size) && secret_bytes.stands_at(seen.data())) on.fell("the process wrote it");
    on.held("nothing to write");
  });
}

outcome dumped(const subject& whose) {
  return attempt([&](stage& on) {
    without_rights(on);
    if (memory_dump(victim_of(on, whose).process).holds(secret_bytes)) on.fell("it is in the dump");
    on.held("it is not in the dump");
  });
}

outcome left_behind(const subject& whose) {
  return attempt([&](stage& on) {
    without_rights(on);
    if (memory_dump(victim_of(on, whose, secret::freed).process).holds(secret_bytes)) on.fell("a copy was left");
    on.held("no copy was left");
  });
}

outcome in_core_file(const subject& whose) {
  return attempt([&](stage& on) {
    const core_file core = core_of([&] {
      try {
        (void)new_secret(*whose.take_up().release(), whose);
      } catch (const std::exception& fault) {
        on.not_tried(fault.what());  // or it would end by a core without a secret
      }
    });
    if (core.bytes.empty()) on.not_tried(core_obstacle().empty() ? "the system wrote no core file" : core_obstacle());
    if (secret_bytes.found_in(core.bytes)) on.fell("it is in the file");
    on.held("it is not in the file");
  });
}

bool is_hidden(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    // The kernel wrote the line. NOLINTNEXTLINE(cert-err34-c)
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) != 2) continue;
    if (begin <= address_of(address) && address_of(address) < end) return line.find("/secretmem") != std::string::npos;
  }
  return false;
}

// Asks for its page to be swapped out, whether or not there is a swap device. Of a secret that has no page, all memory is searched.
outcome swapped(const subject& whose) {
  return attempt([&](stage& on) {
    if (whose.at_rest) {
      if (memory_dump(victim_of(on, whose).process).holds(secret_bytes)) on.fell("it is plain somewhere");
      on.held("it is sealed");
    }
    const auto from = whose.take_up();
    const void* const block = new_secret(*from, whose);
    if (is_hidden(block)) on.held("hidden pages stay");
    const int answer = page_out(block);
    if (answer == 0) on.fell("its page may go");
    if (answer == EINVAL) on.held("its page is locked");
    on.not_tried("the kernel did not say");
  });
}

}  // namespace

std::vector<attack> attacks_from_outside() {
  std::vector<attack> all = {
      {"sibling", "other process", "another process of the same user reads it", read_by_sibling},
      {"debugger", "debugger", "a debugger reads its words (ptrace)", read_by_debugger},
      {"root", "root", "root reads it: /proc/PID/mem, process_vm_readv, ptrace", read_by_root},
      {"puppet", "puppeteer", "a debugger makes the process itself write it out", written_for_debugger},
      {"dump", "memory dump", "a debugger writes all memory to a file (gcore -a)", dumped},
      {"core", "core file", "the process crashes, and the kernel writes a core file", in_core_file},
      {"swap", "swap", "the kernel moves its page to the swap device", swapped},
      {"residue", "residue", "all memory is searched for what was freed", left_behind},
  };
  for (attack& one : all) {
    if (one.name == "root" && geteuid() != 0) one.missing = "only root can try it: sudo lockfast heist";
    if (one.name == "puppet" && !can_make_calls()) one.missing = "the debugger is written for x86-64";
  }
  return all;
}

}  // namespace lockfast::tools
