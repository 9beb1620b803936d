// map_limit_test.cc - isolated secrets at the limit on maps, over the simulated host: closed ones are sealed in time, and where the rest of
// the process has taken every map there is, each change is done or refused, and each secret whole.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <string>
#include <vector>

#include "platform/platform.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/receipt.h"

namespace simulated = lockfast::simulated;
namespace platform = lockfast::platform;

namespace {

constexpr std::size_t size = 32;
constexpr std::size_t map_limit = 1500;

struct machine {
  const char* options;
  bool markers = false;
  std::size_t hidden_limit = 0;
  bool moves = true;
};

constexpr machine machines[] = {{.options = "hidden=off", .markers = true},
                                {.options = "hidden=off,freed=recycle", .markers = true},
                                {.options = "hidden=off"},
                                {.options = "hidden=off,lock=preferred", .moves = false},
                                {.options = "hidden=on", .hidden_limit = SIZE_MAX / 2},
                                {.options = "hidden=on", .hidden_limit = SIZE_MAX / 2, .moves = false}};

void be(const machine& one) {
  prove(set_variable("LOCKFAST_OPTIONS", one.options), "the variable");
  simulated::set_guard_markers(one.markers);
  simulated::set_hidden_limit(one.hidden_limit);
  simulated::set_moves(one.moves);
  simulated::set_map_limit(map_limit);
  simulated::count_maps(100);
}

struct lockfast_statistics statistics() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now;
}

struct held {
  unsigned char* secret;
  std::size_t which;

  explicit held(std::size_t number) : secret(static_cast<unsigned char*>(lockfast_malloc_isolated(size))), which(number) {
    if (secret == nullptr) return;
    for (std::size_t at = 0; at < size; ++at) secret[at] = static_cast<unsigned char>(which * 7 + at);
  }
  [[nodiscard]] bool whole() const {
    for (std::size_t at = 0; at < size; ++at) {
      if (secret[at] != static_cast<unsigned char>(which * 7 + at)) return false;
    }
    return true;
  }
};

}  // namespace

TEST_CASE("closed secrets are sealed before the limit on maps is met, and any number is held and opened without a refusal") {
  for (const machine& one : machines) {
    CAPTURE(one.options);
    CAPTURE(one.markers);
    CAPTURE(one.moves);
    check_clean(in_child([&] {
      be(one);
      std::vector<held> all;
      for (std::size_t at = 0; at < 2000; ++at) {
        all.emplace_back(at);
        promised(all.back().secret != nullptr, ("secret " + std::to_string(at)).c_str());
        promised(lockfast_protect(all.back().secret, LOCKFAST_NOACCESS) == 0, "closed");
      }
      promised(platform::maps_used() < map_limit, "maps are left");
      promised(statistics().live_sealed > 1000 && statistics().live_sealed < 1990, "sealed as far as need be");
      for (const lockfast_access to : {LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
        for (const held& each : all) {
          promised(lockfast_protect(each.secret, to) == 0 && each.whole(), "opened, and whole");
          promised(lockfast_protect(each.secret, LOCKFAST_NOACCESS) == 0, "closed again");
        }
      }
      promised(simulated::map_refusals() == 0, "no call wanted for maps");
      for (const held& each : all) lockfast_free(each.secret);
      promised(statistics().live == 0, "all freed");
    }));
  }
}

TEST_CASE("secrets that are open between markers are closed, all of them, though each takes two maps then") {
  check_clean(in_child([] {
    be({.options = "hidden=off", .markers = true});
    std::vector<held> all;
    for (std::size_t at = 0; at < 2000; ++at) {
      all.emplace_back(at);
      promised(all.back().secret != nullptr, ("secret " + std::to_string(at)).c_str());
    }
    promised(statistics().live_sealed == 0, "all are open");
    for (const held& each : all) promised(lockfast_protect(each.secret, LOCKFAST_NOACCESS) == 0, "closed");
    promised(simulated::map_refusals() == 0, "no call wanted for maps");
    for (const held& each : all) promised(lockfast_protect(each.secret, LOCKFAST_READONLY) == 0 || errno == ENOMEM, "opened or refused");
    for (const held& each : all) {
      promised(receipt_of(each.secret).access == LOCKFAST_NOACCESS || each.whole(), "whole");
      lockfast_free(each.secret);
    }
  }));
}

// Every change of every kind of secret, with so few maps left.
TEST_CASE("where the rest of the process has taken the maps, each change is done or refused with ENOMEM, and each secret is whole") {
  for (const machine& one : machines) {
    for (std::size_t left = 0; left < 8; ++left) {
      CAPTURE(one.options);
      CAPTURE(one.markers);
      CAPTURE(one.moves);
      CAPTURE(left);
      check_clean(in_child([&] {
        be(one);
        std::vector<held> all;
        for (std::size_t at = 0; at < 600; ++at) {
          all.emplace_back(at);
          prove(all.back().secret != nullptr, "a secret");
          if (at % 9 != 0) prove(lockfast_protect(all.back().secret, LOCKFAST_NOACCESS) == 0, "closed");
        }
        for (std::size_t round = 0; round < 4; ++round) {
          for (std::size_t at = round; at < all.size(); at += 4) {
            simulated::count_maps(100);
            const std::size_t own = platform::maps_used() - 100;
            simulated::count_maps(map_limit - own - left);
            void* const secret = all[at].secret;
            const auto before = receipt_of(secret);
            const auto to = static_cast<lockfast_access>((static_cast<std::size_t>(before.access) + 1 + round) % 3);
            const int done = lockfast_protect(secret, to);
            promised(done == 0 || errno == ENOMEM, "done, or refused");
            const auto after = receipt_of(secret);
            promised(after.access == (done == 0 ? to : before.access), "as open as was asked, or as before");
            promised(lockfast_check(secret) == 0 || errno == ENOMEM, "undamaged");
            if (after.access != LOCKFAST_NOACCESS) promised(all[at].whole(), "whole");
            if (at % 3 == 0) {
              void* const moved = lockfast_realloc(secret, size);
              if (moved != nullptr) all[at].secret = static_cast<unsigned char*>(moved);
              promised(moved != nullptr || errno == ENOMEM, "moved, or refused");
            }
            if (at % 5 == 0) {
              lockfast_free(all[at].secret);
              all[at] = held(at);
              if (all[at].secret == nullptr) {
                promised(errno == ENOMEM, "a new one, or none");
                simulated::count_maps(100);
                all[at] = held(at);
                prove(all[at].secret != nullptr, "a new one");
              }
            }
          }
        }
        simulated::count_maps(100);
        promised(lockfast_audit() == 0, "none is damaged");
        for (const held& each : all) {
          promised(lockfast_protect(each.secret, LOCKFAST_READWRITE) == 0, "opened in the end");
          promised(each.whole(), "whole in the end");
          lockfast_free(each.secret);
        }
        promised(statistics().live == 0, "all freed");
      }));
    }
  }
}

TEST_CASE("one trim gives back what had no map left for itself until others were given back") {
  check_clean(in_child([] {
    be({.options = "hidden=off,freed=recycle", .markers = true});
    simulated::count_maps(map_limit / 2);
    std::vector<void*> all;
    for (std::size_t at = 0; at < 100; ++at) all.push_back(lockfast_malloc_isolated(size));
    all.push_back(lockfast_malloc_isolated(std::size_t{1} << 20));
    for (void* const each : all) {
      prove(each != nullptr, "a secret");
      lockfast_free(each);
    }
    prove(statistics().bytes_locked != 0, "pages that are kept for the next secrets");
    simulated::count_maps(map_limit / 2 + map_limit - platform::maps_used());
    const std::size_t refusals = simulated::map_refusals();
    (void)lockfast_trim();
    prove(simulated::map_refusals() != refusals, "no map is left");
    promised(statistics().bytes_locked == 0 && simulated::bytes_locked() == 0, "nothing stays locked");
  }));
}
