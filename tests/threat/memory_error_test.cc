// memory_error_test.cc - overflow into a neighbour, and use after free, of every backing and placement.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/reach.h"
#include "tools/attacks/memory_errors.h"

using namespace lockfast::attacks;

namespace {

constexpr const char* broken = "lockfast: broken canary: bytes beside a secret were changed";
constexpr const char* twice = "lockfast: double free";
constexpr std::size_t size = 48;

// The same attack on each backing.
template <class Check>
void each_backing(Check check) {
  for (const backing& each : backings()) {
    CAPTURE(each.name);
    check(each);
  }
}

volatile unsigned char* ordinary_block() {
  auto* const block = static_cast<volatile unsigned char*>(std::malloc(4 * size));
  prove(block != nullptr, "ordinary memory");
  return block;
}

}  // namespace

TEST_CASE("the first byte past an isolated secret traps, where ordinary memory takes the write") {
  each_backing([](const backing& given) {
    for (const unsigned kind : {isolated, large}) {
      const ending end = in_child([&] {
        given.take_on();
        const holding held(1);
        volatile unsigned char* const block = ordinary_block();
        block[size] = 1;  // inside its block, past what was meant for it: nothing stops it
        const std::size_t past = lockfast_size(held.at[kind]);
        promised(held.at[kind][past - 1] != 1, "its last byte is there");
        stray_write(held.at[kind], static_cast<std::ptrdiff_t>(past));
      });
      CHECK(end.signal == SIGSEGV);
    }
  });
}

TEST_CASE("among many isolated secrets each stands between guards of its own") {
  each_backing([](const backing& given) {
    check_clean(in_child([&] {
      given.take_on();
      std::vector<unsigned char*> all;
      for (int count = 0; count < 200; ++count) {
        all.push_back(static_cast<unsigned char*>(lockfast_malloc_isolated(size)));
        prove(all.back() != nullptr, "a secret");
      }
      for (unsigned char* const each : all) {
        promised(traps_on_read(each + size) && traps_on_write(each + size), "a guard behind");
        promised(traps_on_read(each + size - page_size() - 1), "a guard in front");
        promised(!traps_on_write(each), "the secret itself");
      }
    }));
  });
}

TEST_CASE("a byte changed in front of a secret of any placement, or behind a grouped one, ends the process at free") {
  each_backing([](const backing& given) {
    const struct place_beside {
      unsigned kind;
      std::ptrdiff_t offset;
    } writes[] = {{isolated, -1}, {large, -1}, {grouped, -1}, {grouped, size}, {compartment, -1}, {compartment, size}};
    for (const place_beside& each : writes) {
      CAPTURE(name_of(each.kind));
      CAPTURE(each.offset);
      const ending end = in_child([&] {
        given.take_on();
        const holding held(1);
        promised(lockfast_check(held.at[each.kind]) == 0, "whole before");
        stray_write(held.at[each.kind], each.offset);
        promised(lockfast_check(held.at[each.kind]) == -1, "damaged, as check tells");
        lockfast_free(held.at[each.kind]);
      });
      CHECK(end.signal == SIGABRT);
      CHECK(end.said(broken));
    }
  });
}

TEST_CASE("a damaged isolated secret ends the process whenever its access changes, be it opened or closed") {
  constexpr std::array accesses = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE};
  each_backing([&](const backing& given) {
    for (const unsigned kind : {isolated, large}) {
      for (const lockfast_access from : accesses) {
        for (const lockfast_access to : accesses) {
          if (from == to) continue;
          CAPTURE(name_of(kind));
          CAPTURE(from);
          CAPTURE(to);
          const auto change = [&](bool damage) {
            return in_child([&] {
              given.take_on();
              const holding held(1);
              prove(lockfast_protect(held.at[kind], from) == 0, "the access before");
              // By whoever changes it past the library, since a closed one cannot be damaged else.
              char* const page = page_of(held.at[kind] - 1);
              prove(mprotect(page, page_size(), PROT_READ | PROT_WRITE) == 0, "access for the attacker");
              if (damage) held.at[kind][-1] ^= 1;
              const int as_before = from == LOCKFAST_NOACCESS   ? PROT_NONE
                                    : from == LOCKFAST_READONLY ? PROT_READ
                                                                : PROT_READ | PROT_WRITE;
              prove(mprotect(page, page_size(), as_before) == 0, "the access as it was");
              promised(lockfast_protect(held.at[kind], to) == 0, "the access after");
            });
          };
          CHECK(change(false).clean());
          const ending end = change(true);
          CHECK(end.signal == SIGABRT);
          CHECK(end.said(broken));
        }
      }
    }
  });
}

TEST_CASE("a freed isolated secret traps, and a freed grouped one is wiped, where freed ordinary memory is read") {
  each_backing([](const backing& given) {
    check_clean(in_child([&] {
      given.take_on();
      const holding held(1);
      held.free_all();
      // First, since a probe that traps takes a thread's rights to keys away.
      for (const unsigned kind : {grouped, compartment}) {
        promised(!readable_here(held.at[kind]) || !held.whole(kind), "freed from a group");
      }
      promised(traps_on_read(held.at[freed]), "freed before all others");
      promised(traps_on_read(held.at[isolated]), "freed");
      promised(traps_on_read(held.at[isolated_closed]), "freed while closed");
      promised(traps_on_read(held.at[large]), "freed, large");
    }));
    check_clean(in_child([&] {
      given.take_on(",freed=recycle");
      const holding held(1);
      promised(held.whole(isolated) && held.whole(grouped), "there");
      lockfast_free(held.at[isolated]);
      lockfast_free(held.at[grouped]);
      for (std::size_t at = 0; at < mark_size; ++at) {
        promised(held.at[isolated][at] == 0, "wiped by free");
        promised(held.at[grouped][at] == 0, "wiped by free from a group");
      }
    }));
  });
}

TEST_CASE("a second free ends the process") {
  each_backing([](const backing& given) {
    for (const unsigned kind : {isolated, grouped, compartment}) {
      CAPTURE(name_of(kind));
      const ending end = in_child([&] {
        given.take_on();
        const holding held(1);
        lockfast_free(held.at[kind]);
        lockfast_free(held.at[kind]);
      });
      CHECK(end.signal == SIGABRT);
      CHECK(end.said(twice));
    }
  });
}

TEST_CASE("not held: a read that runs past the end of a grouped secret finds its neighbours") {
  each_backing([](const backing& given) {
    check_clean(in_child([&] {
      given.take_on();
      constexpr std::size_t apart = 4096;
      std::vector<const unsigned char*> all;
      for (int count = 0; count < 200; ++count) {
        all.push_back(static_cast<const unsigned char*>(lockfast_malloc(size)));
        prove(all.back() != nullptr, "a secret");
        mark{1, grouped}.write(const_cast<unsigned char*>(all.back()));
      }
      std::sort(all.begin(), all.end());
      bool found = false;
      for (std::size_t at = 0; at + 1 < all.size(); ++at) {
        if (all[at + 1] - all[at] > static_cast<std::ptrdiff_t>(apart)) continue;
        const auto past = static_cast<std::size_t>(all[at + 1] - all[at]) - size + mark_size;
        found |= over_read(all[at] + size, past, mark{1, grouped});
      }
      promised(found, "the next secret");
    }));
  });
}

TEST_CASE("not held: a write that jumps over what is beside a secret, and a free by a pointer whose place has a new owner") {
  each_backing([](const backing& given) {
    for (const bool in_group : {false, true}) {
      CAPTURE(in_group);
      const auto allocated = [&] {
        void* const made = in_group ? lockfast_malloc(size) : lockfast_malloc_isolated(size);
        prove(made != nullptr, "a secret");
        return static_cast<volatile unsigned char*>(made);
      };
      const auto freed_by = [](volatile unsigned char* secret) { lockfast_free(const_cast<unsigned char*>(secret)); };
      check_clean(in_child([&] {
        given.take_on();
        volatile unsigned char* const near = allocated();
        volatile unsigned char* const far = allocated();
        near[far - near] = 1;
        promised(far[0] == 1, "another's byte is changed");
        promised(lockfast_audit() == 0, "and nothing shows it");

        freed_by(near);
        volatile unsigned char* owner = allocated();
        for (int tries = 0; owner != near; ++tries) {
          prove(tries < 100'000, "the place is used again");
          freed_by(owner);
          owner = allocated();
        }
        freed_by(near);
        promised(lockfast_check(const_cast<unsigned char*>(owner)) != 0, "its owner's secret is gone");
      }));
    }
  });
}
