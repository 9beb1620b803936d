// data_limit_test.cc - a process at its limit on writable memory (RLIMIT_DATA), where what is closed can not be opened for writing.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "behaviour/grouped.h"
#include "support/page_state.h"
#include "support/reach.h"
#include "support/sanitized.h"

namespace {

constexpr std::size_t size = 100;

char* closed_secret() {
  auto* const secret = static_cast<char*>(lockfast_malloc_isolated(size));
  prove(secret != nullptr, "a secret");
  std::memset(secret, 'k', size);
  prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
  return secret;
}

void set_data_limit(rlim_t bytes) {
  const rlimit limit = {bytes, RLIM_INFINITY};
  prove(setrlimit(RLIMIT_DATA, &limit) == 0, "a limit");
}

// From here on the system gives no page more that can be written.
void come_to_data_limit() {
  set_data_limit(1);
  void* const more = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (more != MAP_FAILED) skip("RLIMIT_DATA does not count this memory here");
}

bool plain(const char* secret) {
  char found[size];
  prove(peek(secret, size, found), "the bytes behind its access");
  return std::memchr(found, 'k', size) != nullptr;
}

}  // namespace

TEST_CASE("at the limit on writable memory a closed secret is not opened, is whole afterwards, and is wiped when it is freed") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer needs writable memory of its own");
    return;
  }
  for (const std::string rest : {"rest=auto", "rest=keep", "rest=auto,freed=recycle"}) {
    CAPTURE(rest);
    check_clean(in_child([&] {
      options("hidden=off," + rest);
      char* const freed = closed_secret();
      char* const kept = closed_secret();
      come_to_data_limit();
      promised(lockfast_protect(kept, LOCKFAST_READWRITE) == -1 && errno == ENOMEM, "no access");
      promised(plain(freed), "the control: it is there");
      lockfast_free(freed);
      promised(!plain(freed), "wiped");
      promised(lockfast_protect(kept, LOCKFAST_READONLY) == 0 && kept[0] == 'k', "to be read, it is whole");
      promised(lockfast_protect(kept, LOCKFAST_NOACCESS) == 0, "closed");
      set_data_limit(RLIM_INFINITY);
      promised(lockfast_protect(kept, LOCKFAST_READWRITE) == 0 && kept[size - 1] == 'k', "open where there is room again");
      lockfast_free(kept);
      promised(statistics().live == 0, "none is left");
    }));
  }
}

TEST_CASE("at the limit on writable memory everything is wiped, whatever its access") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer needs writable memory of its own");
    return;
  }
  check_clean(in_child([] {
    options("hidden=off,rest=keep");
    char* const isolated = closed_secret();
    char* const read_only = closed_secret();
    prove(lockfast_protect(read_only, LOCKFAST_READONLY) == 0, "to be read");
    struct lockfast_compartment* const keys = lockfast_compartment_create();
    auto* const within = static_cast<char*>(lockfast_compartment_malloc(keys, size));
    prove(within != nullptr, "a secret in a compartment");
    std::memset(within, 'k', size);
    prove(lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "closed");
    come_to_data_limit();
    promised(plain(isolated) && plain(read_only) && plain(within), "the control: all are there");
    lockfast_wipe_all();
    promised(!plain(isolated) && !plain(read_only) && !plain(within), "wiped");
    promised(!readable_here(isolated) && read_only[0] == 0, "with the access that they had");
    set_data_limit(RLIM_INFINITY);
    promised(lockfast_check(isolated) == 0 && lockfast_check(read_only) == 0 && lockfast_check(within) == 0, "whole canaries");
  }));
}
