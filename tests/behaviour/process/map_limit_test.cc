// map_limit_test.cc - at the system's limit on maps a secret is whole or refused.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/maps.h"
#include "support/page_state.h"
#include "support/probe.h"

TEST_CASE("no block is handed out without its guards at the system's limit on maps") {
  const ending end = in_child([] {
    // Locked pages are not to take all the memory that there is.
    const std::size_t most = std::min(std::size_t{200000}, static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) / 2);
    std::vector<char*> held;
    held.reserve(most);
    while (held.size() < most) {
      auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
      if (secret == nullptr) break;
      held.push_back(secret);
    }
    struct lockfast_statistics counted;
    lockfast_get_statistics(&counted);
    if (held.size() == most || counted.lock_limit != SIZE_MAX) skip("the limit on maps is not the one that is met first");
    promised(errno == ENOMEM, "ENOMEM");
    promised(held.size() >= counted.map_limit * 45 / 100, "a secret for every two maps or so");
    promised(counted.live == held.size() && counted.refusals == 1, "counts");
    promised(lockfast_malloc_isolated(32) == nullptr, "still none");
    for (std::size_t round = 0; round < 100; ++round) {
      lockfast_free(held[round]);
      held[round] = static_cast<char*>(lockfast_malloc_isolated(32));
      promised(held[round] != nullptr, "the place of the one that was freed");
    }
    for (char* const secret : held) {
      promised(traps_on_read(secret + 32) && traps_on_read(page_of(secret) - 1), "both guards");
      promised(!traps_on_write(secret), "the secret itself");
    }
    for (char* const secret : held) {
      promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "no access");
      promised(lockfast_protect(secret, LOCKFAST_READWRITE) == 0, "access again");
      lockfast_free(secret);
    }
    promised(lockfast_malloc_isolated(1 << 20) != nullptr, "a large secret from what was given back");
  });
  check_clean_while_short_of_maps(end);
}

namespace {

struct lockfast_statistics statistics() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now;
}

bool holds(const char* secret, std::size_t which) {
  for (std::size_t at = 0; at < 32; ++at) {
    if (secret[at] != static_cast<char>(which + at)) return false;
  }
  return true;
}

char* closed_secret(std::size_t which) {
  auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
  if (secret == nullptr) return nullptr;
  for (std::size_t at = 0; at < 32; ++at) secret[at] = static_cast<char>(which + at);
  promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0 || errno == ENOMEM, "closed, or refused");
  return secret;
}

}  // namespace

TEST_CASE("near the system's limit on maps closed secrets are sealed, so that any number of them is held and opened") {
  for (const char* const hidden : {"hidden=on", "hidden=off"}) {
    CAPTURE(std::string(hidden));
    check_clean_while_short_of_maps(in_child([=] {
      prove(set_variable("LOCKFAST_OPTIONS", hidden), "the variable");
      constexpr std::size_t count = 2500;
      std::vector<char*> held;
      held.reserve(count);
      use_up_maps(2400);
      for (std::size_t at = 0; at < count; ++at) {
        held.push_back(closed_secret(at));
        promised(held.back() != nullptr, ("secret " + std::to_string(at)).c_str());
        promised(traps_on_read(held.back()), "closed");
      }
      const auto now = statistics();
      if (now.live_unlocked != 0) skip("another limit is met first");
      promised(now.live_sealed > count / 2, "most are sealed");
      promised(now.maps_used < now.map_limit - 256, "and maps are left");
      for (const auto access : {LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
        for (std::size_t at = 0; at < count; ++at) {
          promised(lockfast_protect(held[at], access) == 0 && holds(held[at], at), "opened, and whole");
          promised(traps_on_read(held[at] + 32), "its guard");
          promised(lockfast_protect(held[at], LOCKFAST_NOACCESS) == 0, "closed again");
        }
      }
      for (char* const secret : held) lockfast_free(secret);
      promised(statistics().live == 0, "all freed");
    }));
  }
}

TEST_CASE("where the program has used up the maps, a change of access is done or refused, and each secret is whole") {
  for (const char* const hidden : {"hidden=on", "hidden=off"}) {
    for (const std::size_t left : {std::size_t{0}, std::size_t{1}, std::size_t{4}}) {
      CAPTURE(std::string(hidden));
      CAPTURE(left);
      check_clean_while_short_of_maps(in_child([=] {
        prove(set_variable("LOCKFAST_OPTIONS", hidden), "the variable");
        std::vector<char*> held;
        held.reserve(6000);
        // The last of them, but for hidden ones, lie between markers; some of those are open.
        for (std::size_t at = 0; at < 5000; ++at) {
          held.push_back(closed_secret(at));
          if (at > 4500 && at % 5 == 0) prove(lockfast_protect(held[at], LOCKFAST_READWRITE) == 0, "opened");
        }
        use_up_maps(left);
        for (std::size_t at = 0; at < 300; ++at) {
          char* const made = closed_secret(held.size());
          if (made != nullptr) held.push_back(made);
        }
        for (std::size_t round = 0; round < 3; ++round) {
          for (std::size_t at = round; at < held.size(); at += at < 4400 ? 30 : 3) {
            for (const auto access : {LOCKFAST_READONLY, LOCKFAST_READWRITE, LOCKFAST_NOACCESS}) {
              struct lockfast_receipt before = {};
              struct lockfast_receipt after = {};
              promised(lockfast_describe(held[at], &before) == 0, "a receipt");
              const int done = lockfast_protect(held[at], access);
              promised(done == 0 || errno == ENOMEM, "done, or refused");
              promised(lockfast_describe(held[at], &after) == 0, "a receipt");
              promised(after.access == (done == 0 ? access : before.access), "as open as was asked, or as before");
              if (after.access == LOCKFAST_NOACCESS) {
                promised(traps_on_read(held[at]), "closed");
              } else {
                promised(holds(held[at], at), "whole");
              }
            }
          }
        }
        promised(lockfast_audit() == 0, "none is damaged");
        for (char* const secret : held) lockfast_free(secret);
        promised(statistics().live == 0, "all freed");
      }));
    }
  }
}

TEST_CASE(
    "in a child of a process that has used up the maps, each secret is whole or absent, and nothing else of it can be read") {
  for (const char* const rest : {"rest=auto", "rest=keep"}) {
    for (const std::size_t left : {std::size_t{0}, std::size_t{2}}) {
      CAPTURE(std::string(rest));
      CAPTURE(left);
      check_clean_while_short_of_maps(in_child([=] {
        prove(set_variable("LOCKFAST_OPTIONS", (std::string("fork=inherit,hidden=off,") + rest).c_str()), "the variable");
        std::vector<char*> held;
        held.reserve(5000);
        // The last of them lie between markers.
        for (std::size_t at = 0; at < 5000; ++at) {
          held.push_back(closed_secret(at));
          prove(held.back() != nullptr, "a secret");
          if (at % 3 != 0)
            prove(lockfast_protect(held[at], at % 3 == 1 ? LOCKFAST_READWRITE : LOCKFAST_READONLY) == 0, "opened");
        }
        use_up_maps(left);
        if (left == 0) use_up_last_map();
        const ending child = in_child([&] {
          for (std::size_t at = 0; at < held.size(); ++at) {
            lockfast_receipt found = {};
            const bool is_absent = lockfast_describe(held[at], &found) != 0;
            if (is_absent || found.access == LOCKFAST_NOACCESS) {
              promised(traps_on_read(held[at]), is_absent ? "nothing is left of an absent one" : "what is closed traps");
            } else {
              promised(holds(held[at], at), "whole");
            }
            if (!is_absent && lockfast_protect(held[at], LOCKFAST_READWRITE) == 0)
              promised(holds(held[at], at), "whole when opened");
            promised(traps_on_read(page_of(held[at]) - 1) && traps_on_read(held[at] + 32), "both guards");
          }
          promised(lockfast_audit() == 0, "none is damaged");
        });
        promised(child.clean(), child.text.c_str());
        for (char* const secret : held) lockfast_free(secret);
      }));
    }
  }
}
