// families_fork_test.cc - what a forked child finds of a family whose secrets are absent there, beside one that it inherits.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>

#include <cstring>
#include <string>
#include <vector>

#include "behaviour/forked.h"
#include "support/child.h"
#include "support/maps.h"
#include "support/probe.h"

// What the child inherits takes maps there; the address space of what is absent has to be reserved before.
TEST_CASE("in a child of a process that has used up the maps, an absent secret traps and is freed without effect") {
  for (const char* const rest : {"rest=auto", "rest=keep", "rest=seal"}) {
    for (const std::size_t left : {std::size_t{0}, std::size_t{10}}) {
      CAPTURE(std::string(rest));
      CAPTURE(left);
      const ending end = in_child([=] {
        prove(set_variable("LOCKFAST_OPTIONS", (std::string("hidden=off,lock=preferred,") + rest).c_str()), "the variable");
        // The last of them lie between markers.
        for (std::size_t at = 0; at < 6000; ++at) {
          void* const inherited = sodium_malloc(32);
          prove(inherited != nullptr, "a secret that is inherited");
          if (at % 2 != 0) prove(sodium_mprotect_noaccess(inherited) == 0, "closed");
        }
        std::vector<void*> absent;
        for (const std::size_t size : {std::size_t{32}, std::size_t{5000}}) {
          for (void* const made : {lockfast_malloc(size), lockfast_malloc_isolated(size)}) {
            prove(made != nullptr, "a secret that is absent in a child");
            absent.push_back(made);
          }
        }
        use_up_maps(left);
        if (left == 0) use_up_last_map();
        forked([&] {
          for (void* const secret : absent) {
            lockfast_receipt found = {};
            promised(lockfast_describe(secret, &found) != 0, "absent");
            promised(traps_on_read(secret), "nothing is left of it");
            lockfast_free(secret);
          }
        });
      });
      check_clean_while_short_of_maps(end);
    }
  }
}
