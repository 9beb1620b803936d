// fork_access_test.cc - under fork=inherit a child has each secret at the access that the parent had given it, and with its bytes,
// whatever way the copy took; and what the child makes itself works.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#endif

#include "behaviour/forked.h"
#include "behaviour/grouped.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/sanitized.h"

namespace {

constexpr lockfast_access accesses[] = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE};

// From here on a system call is refused with ENOSYS, in this process and in its children.
void refuse([[maybe_unused]] long call) {
#if __has_include(<linux/seccomp.h>)
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter = {static_cast<unsigned short>(sizeof program / sizeof *program), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    skip("no filter of system calls");
  }
#else
  skip("no filter of system calls");
#endif
}

// What stands in the way of the copy, once the secrets are made.
struct copy_path {
  const char* name;
  void (*obstruct)();
};
constexpr long call_memfd_secret = 447;
void nothing() {}
void no_hidden_copy() { refuse(call_memfd_secret); }
void no_move() {
#if defined(SYS_mremap)
  refuse(SYS_mremap);
#endif
}
void no_budget() {
  const rlimit none{0, 0};
  prove(setrlimit(RLIMIT_MEMLOCK, &none) == 0, "a limit");
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
}
constexpr copy_path paths[] = {{"as it goes", nothing},
                               {"no hidden memory for the copy", no_hidden_copy},
                               {"no move of hidden pages", no_move},
                               {"no budget of locks", no_budget}};

bool has_access(char* secret, lockfast_access wanted) {
  if (wanted == LOCKFAST_NOACCESS) return traps_on_read(secret);
  return !traps_on_read(secret) && traps_on_write(secret) == (wanted == LOCKFAST_READONLY);
}

void check_child(const std::vector<char*>& secrets, std::size_t size) {
  for (std::size_t at = 0; at < secrets.size(); ++at) {
    char* const each = secrets[at];
    promised(has_access(each, accesses[at % 3]), "its access");
    promised(receipt_of(each).access == accesses[at % 3], "the access in its receipt");
    promised(lockfast_check(each) == 0, "whole canaries");
    promised(lockfast_protect(each, LOCKFAST_READWRITE) == 0 && filled(each, size, 'x'), "its bytes");
    std::memset(each, 'c', size);
    lockfast_free(each);
  }
  char* const own = secret_of(32);
  lockfast_free(own);
}

}  // namespace

TEST_CASE("a child has every secret at its access, whatever its backing and whichever way the copy took") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer makes calls that the filters refuse");
    return;
  }
  for (const std::string policy : {"hidden=auto", "hidden=off"}) {
    for (const copy_path& path : paths) {
      for (const std::size_t size : {std::size_t{32}, std::size_t{9000}, std::size_t{200000}}) {
        CAPTURE(policy);
        CAPTURE(path.name);
        CAPTURE(size);
        check_clean(in_child([&] {
          options("fork=inherit,lock=preferred," + policy);
          std::vector<char*> secrets;
          for (int at = 0; at < 6; ++at) {
            secrets.push_back(static_cast<char*>(lockfast_malloc_isolated(size)));
            prove(secrets.back() != nullptr, "a secret");
            std::memset(secrets.back(), 'x', size);
            prove(lockfast_protect(secrets.back(), accesses[at % 3]) == 0, "its access");
          }
          path.obstruct();
          forked([&] { check_child(secrets, size); });
          for (std::size_t at = 0; at < secrets.size(); ++at) {
            promised(has_access(secrets[at], accesses[at % 3]), "the parent's access");
          }
        }));
      }
    }
  }
}

TEST_CASE("a child has a closed compartment closed, whichever way the copy took") {
  if (sanitized) return;
  for (const std::string policy : {"hidden=auto", "hidden=off"}) {
    for (const copy_path& path : paths) {
      for (const lockfast_access access : accesses) {
        CAPTURE(policy);
        CAPTURE(path.name);
        CAPTURE(access);
        check_clean(in_child([&] {
          options("fork=inherit,lock=preferred," + policy);
          auto* const keys = lockfast_compartment_create();
          prove(keys != nullptr, "a compartment");
          auto* const secret = static_cast<char*>(lockfast_compartment_malloc(keys, 32));
          prove(secret != nullptr, "a secret");
          std::memset(secret, 'x', 32);
          prove(lockfast_compartment_protect(keys, access) == 0, "its access");
          path.obstruct();
          forked([&] {
            promised(has_access(secret, access), "its access");
            promised(lockfast_compartment_protect(keys, LOCKFAST_READWRITE) == 0 && filled(secret, 32, 'x'), "its bytes");
            lockfast_compartment_destroy(keys);
          });
        }));
      }
    }
  }
}

TEST_CASE("a child allocates from places between markers that were closed when freed") {
  for (const std::string policy : {"freed=trap", "freed=recycle"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options("fork=inherit,lock=preferred,hidden=off," + policy);
      // Markers come once maps are scarce: an eighth of the limit, at two for each place of a region.
      constexpr int count = 9000;
      std::vector<void*> many;
      for (int at = 0; at < count; ++at) many.push_back(lockfast_malloc_isolated(32));
      const auto use = [] {
        std::vector<char*> mine;
        for (std::size_t at = 0; at < 64; ++at) {
          const std::size_t size = (1 + at % 16) * page_size() - 16;
          mine.push_back(static_cast<char*>(lockfast_malloc_isolated(size)));
          promised(mine.back() != nullptr, "a secret");
          std::memset(mine.back(), 'x', size);
          if (at % 2 == 0) promised(lockfast_protect(mine.back(), LOCKFAST_NOACCESS) == 0, "no access");
        }
        for (std::size_t at = 0; at < mine.size(); ++at) promised(at % 2 != 0 || traps_on_read(mine[at]), "a touch traps");
        for (char* const each : mine) lockfast_free(each);
      };
      std::vector<std::thread> threads;
      for (int at = 0; at < 4; ++at) threads.emplace_back([&] {
        std::vector<void*> mine;
        for (std::size_t each = 0; each < 64; ++each) {
          mine.push_back(lockfast_malloc_isolated((1 + each % 16) * page_size() - 16));
          prove(mine.back() != nullptr, "a secret");
        }
        for (void* const each : mine) lockfast_free(each);
      });
      for (auto& each : threads) each.join();
      forked([&] {
        use();
        (void)lockfast_trim();
        use();
        promised(lockfast_audit() == 0, "no damage");
      });
      use();
    }));
  }
}
