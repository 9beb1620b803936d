// unmap_test.cc - freed memory is inaccessible where the system does not let it go.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>

#include "filter.h"
#include "support/check.h"
#include "support/child.h"
#include "support/probe.h"

TEST_CASE("a freed secret traps where munmap is refused, one that is too large to rest as well") {
  // The third is too large under an ordinary user's lock limit, the last without one.
  for (const std::size_t size : {std::size_t{32}, std::size_t{300000}, std::size_t{6} << 20, std::size_t{64} << 20}) {
    CAPTURE(size);
    const ending end = in_child([&] {
      // In the place of hidden pages inaccessible ones are put.
      prove(set_variable("LOCKFAST_OPTIONS", "hidden=off"), "the options");
      auto* const secret = static_cast<char*>(lockfast_malloc_isolated(size));
      if (secret == nullptr) skip("not as much may be locked");
      const long unmap = SYS_munmap;
      prove(filter_calls({&unmap, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
      lockfast_free(secret);
      promised(traps_on_read(secret) && traps_on_write(secret + size - 1), "nothing of it can be touched");
    });
    if (!end.skipped()) check_clean(end);
  }
}
