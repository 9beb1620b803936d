// trap_test.cc - what traps: the byte past the end, the page in front, a secret without access, a freed secret.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "support/child.h"
#include "support/page_state.h"
#include "support/probe.h"

namespace {

struct freed {
  void operator()(char* secret) const { lockfast_free(secret); }
};
using owned = std::unique_ptr<char, freed>;

owned secret_of(std::size_t size) {
  owned made(static_cast<char*>(lockfast_malloc_isolated(size)));
  REQUIRE(made != nullptr);
  return made;
}

}  // namespace

TEST_CASE("the first byte past a secret traps, read or write, at every size") {
  for (std::size_t size = 0; size < 100000; size += size < 40 ? 1 : 997) {
    CAPTURE(size);
    const owned secret = secret_of(size);
    CHECK(traps_on_read(secret.get() + size));
    CHECK(traps_on_write(secret.get() + size));
    CHECK(traps_on_read(secret.get() + size + page_size() - 1));
    if (size > 0) CHECK_FALSE(traps_on_write(secret.get() + size - 1));
  }
}

TEST_CASE("the page in front of a secret's pages traps") {
  for (const std::size_t size : {0U, 1U, 32U, 4080U, 4081U, 70000U, 5000000U}) {
    CAPTURE(size);
    const owned secret = secret_of(size);
    char* const first = page_of(secret.get() - 16);
    CHECK_FALSE(traps_on_read(first));
    CHECK(traps_on_read(first - 1));
    CHECK(traps_on_read(first - page_size()));
  }
}

TEST_CASE("access is exactly what was asked for, and of this secret alone") {
  const owned secret = secret_of(32);
  const owned neighbour = secret_of(32);
  std::memset(secret.get(), 'x', 32);
  REQUIRE(lockfast_protect(secret.get(), LOCKFAST_NOACCESS) == 0);
  CHECK(traps_on_read(secret.get()));
  CHECK_FALSE(traps_on_write(neighbour.get()));
  REQUIRE(lockfast_protect(secret.get(), LOCKFAST_READONLY) == 0);
  CHECK_FALSE(traps_on_read(secret.get()));
  CHECK(traps_on_write(secret.get()));
  CHECK(secret.get()[31] == 'x');
  REQUIRE(lockfast_protect(secret.get(), LOCKFAST_READWRITE) == 0);
  CHECK_FALSE(traps_on_write(secret.get()));
  CHECK(lockfast_protect(secret.get(), static_cast<lockfast_access>(3)) == -1);
}

TEST_CASE("a freed secret traps until its pages are used again") {
  for (const std::size_t size : {0U, 32U, 5000U, 3000000U}) {
    char* secret = nullptr;
    {
      const owned briefly = secret_of(size);
      secret = briefly.get();
    }
    CHECK(traps_on_read(secret));
    CHECK(traps_on_write(size == 0 ? secret - 1 : secret));
  }
}
