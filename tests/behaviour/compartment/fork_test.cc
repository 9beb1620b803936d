// fork_test.cc - what a forked child finds of its parent's compartments, under each fork policy.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "behaviour/compartment/compartment.h"
#include "behaviour/forked.h"
#include "support/page_state.h"

namespace {

constexpr lockfast_access accesses[] = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE};

// Compartments of each access, more than the processor has keys, with secrets of some sizes.
struct held {
  held() {
    for (std::size_t at = 0; at < 21; ++at) {
      all.push_back(new_compartment());
      for (const std::size_t size : {32U, 3000U, 70000U}) {
        secrets.push_back({secret_in(all.back(), size), size, accesses[at % 3], at});
        std::memset(secrets.back().address, 'p', size);
      }
      open_to(all.back(), accesses[at % 3]);
    }
  }
  void unchanged() const {
    for (const one& each : secrets) {
      promised(has(each.address, each.access), "the parent's access");
      promised(lockfast_check(each.address) == 0 && lockfast_size(each.address) == each.size, "the parent's canaries");
      promised(state_of(each.address).locked, "the parent's lock");
    }
    for (const one& each : secrets) {
      open_to(all[each.in], LOCKFAST_READONLY);
      promised(filled(each.address, each.size, 'p'), "the parent's bytes");
    }
    for (compartment* const each : all) lockfast_compartment_destroy(each);
    promised(statistics().live == 0, "none is live");
  }
  struct one {
    char* address;
    std::size_t size;
    lockfast_access access;
    std::size_t in;
  };
  std::vector<compartment*> all;
  std::vector<one> secrets;
};

void use_fresh_one() {
  compartment* const fresh = new_compartment();
  char* const secret = secret_in(fresh, 100);
  promised(has(secret, LOCKFAST_READWRITE) && state_of(secret).locked, "a compartment of the child's own");
  open_to(fresh, LOCKFAST_NOACCESS);
  promised(has(secret, LOCKFAST_NOACCESS), "closed");
  lockfast_compartment_destroy(fresh);
}

}  // namespace

TEST_CASE("fork=inherit gives the child a private copy of each compartment, of the same access, locked again") {
  check_clean(in_child([] {
    options("fork=inherit");
    const held parents;
    forked([&] {
      for (const auto& [address, size, access, in] : parents.secrets) {
        promised(has(address, access), "the access");
        promised(lockfast_check(address) == 0 && state_of(address).locked, "canaries and lock");
        open_to(parents.all[in], LOCKFAST_READWRITE);
        promised(filled(address, size, 'p'), "the copy");
        std::memset(address, 'c', size);
        open_to(parents.all[in], access);
      }
      promised(lockfast_audit() == 0, "whole canaries");
      for (std::size_t at = 0; at < parents.secrets.size(); at += 3) lockfast_free(parents.secrets[at].address);
      char* const more = static_cast<char*>(lockfast_compartment_malloc(parents.all[0], 50));
      promised(more != nullptr && has(more, LOCKFAST_NOACCESS), "a secret in the parent's compartment");
      for (compartment* const each : parents.all) lockfast_compartment_destroy(each);
      promised(statistics().live == 0, "none is live");
      use_fresh_one();
    });
    parents.unchanged();
  }));
}

TEST_CASE("fork=wipe gives the child zeros in each compartment, with canaries that hold") {
  check_clean(in_child([] {
    options("fork=wipe");
    const held parents;
    forked([&] {
      promised(lockfast_audit() == 0, "whole canaries");
      for (const auto& [address, size, access, in] : parents.secrets) {
        promised(has(address, access) && lockfast_check(address) == 0, "the access, and canaries");
        open_to(parents.all[in], LOCKFAST_READONLY);
        promised(filled(address, size, 0), "zeros");
        open_to(parents.all[in], access);
      }
      for (std::size_t at = 0; at < parents.secrets.size(); at += 3) lockfast_free(parents.secrets[at].address);
      for (compartment* const each : parents.all) lockfast_compartment_destroy(each);
      promised(statistics().live == 0, "none is live");
      use_fresh_one();
    });
    parents.unchanged();
  }));
}

TEST_CASE("fork=absent, the default, gives the child compartments without their secrets: a touch traps, a free is nothing") {
  check_clean(in_child([] {
    const held parents;
    forked([&] {
      for (const auto& [address, size, access, in] : parents.secrets) {
        promised(!readable_here(address) && !readable_here(address + size - 1), "traps");
        promised(lockfast_size(address) == 0, "no secret");
      }
      promised(lockfast_audit() == 0, "nothing is damaged");
      use_fresh_one();
      for (std::size_t at = 0; at < parents.secrets.size(); at += 3) lockfast_free(parents.secrets[at].address);
      char* const more = static_cast<char*>(lockfast_compartment_malloc(parents.all[2], 50));
      promised(more != nullptr && lockfast_check(more) == 0, "a secret of the child's in the parent's compartment");
      open_to(parents.all[2], LOCKFAST_READWRITE);
      promised(has(more, LOCKFAST_READWRITE), "opened");
      open_to(parents.all[2], LOCKFAST_NOACCESS);
      promised(has(more, LOCKFAST_NOACCESS), "closed");
      for (compartment* const each : parents.all) lockfast_compartment_destroy(each);
      promised(statistics().live == 0, "none is live");
      use_fresh_one();
    });
    parents.unchanged();
  }));
}

TEST_CASE("what other threads of the parent held open is closed in the child, which has one thread") {
  check_clean(in_child([] {
    options("fork=inherit");
    compartment* const keys = new_compartment();
    char* const secret = secret_in(keys, 32);
    open_to(keys, LOCKFAST_NOACCESS);
    performer other;
    other([&] { open_to(keys, LOCKFAST_READWRITE); });
    forked([&] {
      // A thread of the child can open and close it; nobody else holds it any more.
      open_to(keys, LOCKFAST_READONLY);
      promised(filled(secret, 32, 'x'), "the copy");
      open_to(keys, LOCKFAST_NOACCESS);
      promised(has(secret, LOCKFAST_NOACCESS), "closed");
    });
    other([&] { promised(has(secret, LOCKFAST_READWRITE), "the parent's thread has it still"); });
    lockfast_compartment_destroy(keys);
  }));
}

TEST_CASE("threads that open their first compartments, and give up their last ones, do not hang a child") {
  check_clean(in_child([] {
    std::atomic<bool> done = false;
    std::vector<std::thread> busy;
    for (int count = 0; count < 2; ++count) {
      busy.emplace_back([&] {
        while (!done) {
          std::thread([] {
            compartment* const own = new_compartment();
            lockfast_compartment_destroy(own);
          }).join();
        }
      });
    }
    for (int round = 0; round < 300; ++round) forked([] { use_fresh_one(); });
    done = true;
    for (std::thread& one : busy) one.join();
  }));
}

TEST_CASE("while other threads use compartments, a child uses its own and its parent's, many times") {
  for (const char* const policy : {"fork=inherit", "fork=wipe", "fork=absent"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      compartment* const shared = new_compartment();
      char* const mine = secret_in(shared, 32);
      std::atomic<bool> done = false;
      std::vector<std::thread> busy;
      for (int count = 0; count < 3; ++count) {
        busy.emplace_back([&, count] {
          for (std::size_t round = 0; !done; ++round) {
            compartment* const own = count == 0 ? new_compartment() : shared;
            auto* const secret = static_cast<char*>(lockfast_compartment_malloc(own, round % 700));
            promised(secret != nullptr, "a secret");
            (void)lockfast_compartment_protect(own, accesses[round % 3]);
            (void)lockfast_check(secret);
            lockfast_free(secret);
            if (count == 0) lockfast_compartment_destroy(own);
          }
        });
      }
      for (int round = 0; round < 50; ++round) {
        forked([&] {
          auto* const secret = static_cast<char*>(lockfast_compartment_malloc(shared, 100));
          promised(secret != nullptr && lockfast_check(secret) == 0, "a secret");
          lockfast_free(secret);
          lockfast_free(mine);
          use_fresh_one();
          promised(lockfast_audit() == 0, "whole canaries");
          lockfast_compartment_destroy(shared);
        });
      }
      done = true;
      for (std::thread& one : busy) one.join();
      promised(filled(mine, 32, 'x'), "the parent's bytes");
      lockfast_compartment_destroy(shared);
    }));
  }
}
