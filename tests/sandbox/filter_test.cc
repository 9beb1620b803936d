// filter_test.cc - filters that kill, and filters that refuse one call after the other.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "filter.h"
#include "lifecycle.h"
#include "own_directory.h"
#include "support/check.h"
#include "support/child.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

namespace {

void take_on(const char* options) { prove(set_variable("LOCKFAST_OPTIONS", options), "the options"); }

void live(const std::filesystem::path& directory) {
  live_in_c();
  live_in_cxx(directory);
  live_over_a_fork();
}

constexpr const char* policies[] = {"fork=absent", "fork=inherit", "fork=wipe", "hidden=off", "hidden=off,freed=recycle",
                                    "rest=seal"};

struct named_call {
  const char* name;
  long number;
};

// What Lockfast calls, and neither libsodium nor the C library by itself.
constexpr named_call risky[] = {{"memfd_secret", SYS_memfd_secret},
                                {"ftruncate", SYS_ftruncate},
                                {"mlock2", SYS_mlock2},
                                {"mseal", SYS_mseal},
                                {"prctl", SYS_prctl},
                                {"mremap", SYS_mremap},
#ifdef SYS_pkey_alloc
                                {"pkey_alloc", SYS_pkey_alloc},
                                {"pkey_mprotect", SYS_pkey_mprotect},
#endif
                                {"sched_yield", SYS_sched_yield},
                                {"capget", SYS_capget}};

lockfast_receipt receipt_of_new_secret() {
  void* const secret = lockfast_malloc_isolated(32);
  promised(secret != nullptr, "a secret");
  lockfast_receipt receipt;
  promised(lockfast_describe(secret, &receipt) == 0, "a receipt");
  lockfast_free(secret);
  return receipt;
}

lockfast_backing best_backing() {
  lockfast_backing found = LOCKFAST_UNLOCKED;
  const ending end = in_child([] { leave_with(receipt_of_new_secret().backing == LOCKFAST_HIDDEN ? 10 : 11); });
  if (end.status == 10) found = LOCKFAST_HIDDEN;
  return found;
}

}  // namespace

TEST_CASE("every type lives under systemd's @system-service, whose default kills") {
  for (const char* const options : policies) {
    CAPTURE(options);
    const own_directory own;
    check_clean(in_child([&] {
      take_on(options);
      prove(filter_calls(system_service(), verdict::allow(), verdict::kill()), "the filter");
      live(own.path());
    }));
  }
}

TEST_CASE("a filter that is put on between two secrets ends nothing") {
  for (const char* const options : policies) {
    CAPTURE(options);
    const own_directory own;
    const own_directory later;  // a vault is saved over its own file alone
    check_clean(in_child([&] {
      take_on(options);
      live(own.path());
      lockfast_compartment* const within = lockfast_compartment_create();
      void* const kept[] = {lockfast_malloc_isolated(40), lockfast_malloc(40), lockfast_compartment_malloc(within, 40)};
      prove(filter_calls(system_service(), verdict::allow(), verdict::kill()), "the filter");
      for (void* const each : kept) lockfast_free(each);
      lockfast_compartment_destroy(within);
      const lockfast_receipt receipt = receipt_of_new_secret();
      const bool hides = receipt.backing == LOCKFAST_HIDDEN || receipt.hide_error != 0;
      promised(hides && receipt.lock_error == 0, "a receipt that is true");
      live(later.path());
    }));
  }
}

TEST_CASE("a filter that kills for one call ends nothing, whichever call it is") {
  for (const named_call& one : risky) {
    CAPTURE(one.name);
    const own_directory own;
    check_clean(in_child([&] {
      prove(filter_calls({&one.number, 1}, verdict::kill(), verdict::allow()), "the filter");
      live(own.path());
    }));
    check_clean(in_child([&] {
      live_in_c();
      prove(filter_calls({&one.number, 1}, verdict::kill(), verdict::allow()), "the filter, of a program that lives already");
      live_in_c();
    }));
    check_clean(in_child([&] {
      take_on("rest=seal,hidden=off");
      prove(filter_calls({&one.number, 1}, verdict::kill(), verdict::allow()), "the filter");
      live_in_c();
    }));
  }
}

TEST_CASE("the receipt says that the kernel was not asked for hidden memory where that would end the process") {
  check_clean(in_child([] {
    const long hide = SYS_memfd_secret;
    prove(filter_calls({&hide, 1}, verdict::kill(), verdict::allow()), "the filter");
    const lockfast_receipt receipt = receipt_of_new_secret();
    promised(receipt.backing == LOCKFAST_LOCKED && receipt.hide_error == EPERM, "locked, and EPERM");
  }));
}

TEST_CASE("a call that is refused is done without, and the receipt has the errno") {
  for (const int error : {EPERM, ENOSYS}) {
    CAPTURE(error);
    for (const named_call& one : risky) {
      CAPTURE(one.name);
      const own_directory own;
      check_clean(in_child([&] {
        prove(filter_calls({&one.number, 1}, verdict::refuse(error), verdict::allow()), "the filter");
        live(own.path());
        const lockfast_receipt receipt = receipt_of_new_secret();
        promised(receipt.lock_error == 0, "locked");
        if (one.number == SYS_memfd_secret) promised(receipt.hide_error == error, "the filter's errno");
      }));
    }
  }
}

TEST_CASE("a filter that allows everything takes nothing away") {
  if (best_backing() != LOCKFAST_HIDDEN) {
    MESSAGE("skipped: nothing is hidden here");
    return;
  }
  check_clean(in_child([] {
    prove(filter_calls({}, verdict::kill(), verdict::allow()), "the filter");
    promised(receipt_of_new_secret().backing == LOCKFAST_HIDDEN, "hidden");
  }));
}

TEST_CASE("the program is told nothing of the child that tries what a filter kills for") {
  check_clean(in_child([] {
    static volatile std::sig_atomic_t told = 0;
    const auto count = [](int) { told = told + 1; };
    for (const int number : {SIGCHLD, SIGSYS}) prove(std::signal(number, count) != SIG_ERR, "a handler");
    const long hide = SYS_memfd_secret;
    prove(filter_calls({&hide, 1}, verdict::kill(), verdict::allow()), "the filter");
    (void)receipt_of_new_secret();
    promised(told == 0, "no signal");
    promised(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "no child");
    promised(waitpid(-1, nullptr, WNOHANG | __WALL) == -1 && errno == ECHILD, "no child of any kind");
  }));
}

TEST_CASE("the child that tries what a filter kills for leaves no core file") {
  const own_directory own;
  std::string pattern;
  std::ifstream("/proc/sys/kernel/core_pattern") >> pattern;
  if (pattern.empty() || pattern.front() == '|' || pattern.front() == '/' || pattern.front() == '@') {
    MESSAGE("skipped: core files go elsewhere");
    return;
  }
  // Not in_child, which allows no core file.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit plenty = {RLIM_INFINITY, RLIM_INFINITY};
    prove(chdir(own.path().c_str()) == 0 && setrlimit(RLIMIT_CORE, &plenty) == 0, "core files there");
    // For each death a further child goes on with the calls that are left.
    const std::array<long, 2> deadly = {SYS_memfd_secret, SYS_mseal};
    prove(filter_calls(deadly, verdict::kill(), verdict::allow()), "the filter");
    (void)receipt_of_new_secret();
    _exit(0);
  }
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  CHECK(WIFEXITED(state));
  CHECK(WEXITSTATUS(state) == 0);
  CHECK(std::filesystem::is_empty(own.path()));
}
