// map_limit_test.cc - at the system's limit on maps a secret is whole or refused.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "support/child.h"
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
  CAPTURE(end.text);
  CAPTURE(end.signal);
  // A sanitizer's own run-time library needs maps, and ends the process without them.
  if (end.skipped() || end.said("Sanitizer failed to allocate") || end.said("Sanitizer: out of memory")) {
    MESSAGE("skipped: " << end.text);
  } else {
    CHECK(end.clean());
  }
}
