// swap_test.cc - what may be written to the swap device or to a hibernation image.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "tools/attacks/paging.h"

using namespace lockfast::attacks;

namespace {

// Of the large secret a page that no mark touches.
const unsigned char* byte_of(const holding& held, unsigned kind) { return held.at[kind] + (kind == large ? 300000 : 0); }

void check_held(const holding& held) {
  for (const unsigned kind : live_secrets) {
    const unsigned char* const byte = byte_of(held, kind);
    const int answer = page_out(byte);
    // Kernels which count hidden memory by user take the advice and move nothing.
    promised(answer == EINVAL || (answer == 0 && held.receipts[kind].backing == LOCKFAST_HIDDEN), "the advice is refused");
    promised(in_memory(byte) && state_of(byte).locked, name_of(kind).c_str());
  }
}

void check_control(const holding& held) {
  prove(page_out(held.at[ordinary]) == 0 && !state_of(held.at[ordinary]).locked, "ordinary memory may be swapped");
}

void write_file(const char* path, const char* text) {
  std::FILE* const file = std::fopen(path, "we");
  prove(file != nullptr && std::fputs(text, file) >= 0 && std::fclose(file) == 0, "a file in place of the system's");
}

// From here on this process sees a system that says so of hibernation.
void pretend_hibernation(const char* states, const char* device) {
  struct stat facts;
  if (stat("/sys/power", &facts) != 0 || unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", "/sys/power", "tmpfs", 0, nullptr) != 0) {
    skip("nothing can be mounted over /sys/power");
  }
  write_file("/sys/power/state", states);
  if (device != nullptr) write_file("/sys/power/resume", device);
}

lockfast_receipt first_receipt(const char* policy, bool in_group) {
  options(policy);
  const void* const secret = in_group ? lockfast_malloc(32) : lockfast_malloc_isolated(32);
  lockfast_receipt receipt;
  prove(secret != nullptr && lockfast_describe(secret, &receipt) == 0, "a secret");
  return receipt;
}

}  // namespace

TEST_CASE("the kernel may swap ordinary memory out, and no page of a hidden or locked secret") {
  if (!locks_are_real()) return;
  for (const std::string policy : {"hidden=on", "hidden=off"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      const holding held(1);
      check_control(held);
      check_held(held);
    }));
  }
}

TEST_CASE("not held: an unlocked secret may be swapped out, and its receipt says that it is unlocked") {
  if (!locks_are_real()) return;
  check_clean(in_child([] {
    become_ordinary(0);
    options("hidden=off,lock=preferred");
    const holding held(1);
    for (const unsigned kind : live_secrets) {
      promised(held.receipts[kind].backing == LOCKFAST_UNLOCKED && held.receipts[kind].lock_error != 0, "the receipt");
      promised(page_out(held.at[kind]) == 0, "the kernel takes the advice");
    }
  }));
}

TEST_CASE("a fork leaves the secrets of parent and child where the kernel may not swap them") {
  if (!locks_are_real()) return;
  for (const std::string backing : {"hidden=on", "hidden=off"}) {
    for (const std::string policy : {"inherit", "wipe", "absent"}) {
      const std::string text = std::string(backing) + ",fork=" + policy;
      CAPTURE(text);
      check_clean(in_child([&] {
        options(text);
        const holding held(1);
        const bool absent = policy[0] == 'a';
        int ends[2];
        prove(pipe(ends) == 0, "a pipe");
        const pid_t child = fork();
        prove(child >= 0, "a fork");
        if (child == 0) {
          close(ends[1]);
          char nothing;
          (void)!read(ends[0], &nothing, 1);  // until the parent has looked at its own
          if (!absent) {
            for (const unsigned kind : live_secrets) {
              lockfast_receipt receipt;
              prove(lockfast_describe(held.at[kind], &receipt) == 0, "a receipt");
              // What is sealed has no page: the record alone may be swapped.
              if (receipt.rest == LOCKFAST_SEALED) continue;
              promised(state_of(held.at[kind]).locked, "the child's lock");
              // A hidden page is in RAM when it is in no page table yet: nothing can move it out.
              promised(state_of(held.at[kind]).hidden || in_memory(byte_of(held, kind)), "the child's page");
            }
            held.open_all();
            for (const unsigned kind : live_secrets) (void)*static_cast<const volatile unsigned char*>(byte_of(held, kind));
            check_held(held);
          }
          _exit(0);
        }
        check_held(held);
        for (const unsigned kind : open_secrets) held.at[kind][0] ^= 1;  // a write parts what copies share
        check_held(held);
        close(ends[1]);
        int state = 0;
        prove(waitpid(child, &state, 0) == child, "its end");
        promised(WIFEXITED(state) && WEXITSTATUS(state) == 0, "what the child was to find");
        check_held(held);
      }));
    }
  }
}

TEST_CASE("hidden=auto hides on a machine that cannot hibernate, and not on one that can, which hidden memory would stop") {
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can mount over /sys/power");
    return;
  }
  if (!has_hidden_memory()) return;
  const struct machine {
    const char* states;
    const char* device;
    bool can;
  } machines[] = {{"freeze mem disk\n", "259:3\n", true},
                  {"freeze mem disk\n", "0:0\n", false},
                  {"freeze mem\n", "259:3\n", false},
                  {"freeze mem disk\n", nullptr, false},
                  {"freeze mem\n", nullptr, false}};
  for (const machine& each : machines) {
    CAPTURE(each.states);
    CAPTURE(each.can);
    for (const bool in_group : {false, true}) {
      check_clean(in_child([&] {
        pretend_hibernation(each.states, each.device);
        const lockfast_receipt receipt = first_receipt("hidden=auto", in_group);
        promised(receipt.backing == (each.can ? LOCKFAST_LOCKED : LOCKFAST_HIDDEN), "the backing");
        promised(receipt.hide_error == (each.can ? ECANCELED : 0), "the reason");
      }));
      check_clean(in_child([&] {
        pretend_hibernation(each.states, each.device);
        promised(first_receipt("hidden=on", in_group).backing == LOCKFAST_HIDDEN, "on is on");
      }));
    }
  }
}
