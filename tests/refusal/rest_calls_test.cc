// rest_calls_test.cc - the nth call to the system refuses while secrets are sealed and opened, for every n until none does: each
// secret is whole, sealed or open, and nothing is left behind.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t size = 40;
constexpr std::size_t long_size = 20000;  // of the last secret: its record has pages of its own

struct machine {
  std::size_t lock_limit = SIZE_MAX;
  std::size_t hidden_limit = 0;
  bool moves = true;
  std::size_t marked_map_limit = 0;  // so few maps that every region is marked; 0: no markers
  bool has_long_one = false;
};

bool holds(const unsigned char* secret, std::size_t which, std::size_t length = size) {
  for (std::size_t at = 0; at < length; ++at) {
    if (secret[at] != static_cast<unsigned char>(which * 13 + at)) return false;
  }
  return true;
}

// Everything that touches a sealed secret; each refusal is the system's.
class session {
 public:
  explicit session(bool has_long_one) : has_long_one_(has_long_one) {}

  void run() {
    for (std::size_t which = 0; which < 6; ++which) {
      const std::size_t length = has_long_one_ && which == 5 ? long_size : size;
      auto* const secret = static_cast<unsigned char*>(lockfast_malloc_isolated(length));
      if (secret == nullptr) {
        refuse(errno == ENOMEM || errno == EPERM);  // EPERM: no random bytes
        continue;
      }
      for (std::size_t at = 0; at < length; ++at) secret[at] = static_cast<unsigned char>(which * 13 + at);
      all_.push_back({secret, which, length});
      close(secret);
    }
    for (const lockfast_access to : {LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
      for (const held& each : all_) {
        if (lockfast_protect(each.secret, to) == 0) {
          promised(holds(each.secret, each.which, each.length), "whole when opened");
        } else {
          refuse(true);
          promised(receipt_of(each).rest != LOCKFAST_OPEN, "not open after a refusal");
        }
        close(each.secret);
        const int checked = lockfast_check(each.secret);
        promised(checked == 0 || errno != EFAULT, "whole when checked");
        if (checked != 0) refuse(true);
      }
    }
    for (held& each : all_) {
      void* const moved = lockfast_realloc(each.secret, each.length + 1);
      if (moved != nullptr) each.secret = static_cast<unsigned char*>(moved);
      if (moved == nullptr) refuse(errno == ENOMEM || errno == EPERM);
    }
    lockfast_trim();
  }

  // Without refusals.
  void end(int most) {
    promised(refusals_ <= most || !simulated::refused(), "no more refusals than the system's");
    promised(lockfast_audit() == 0, "none is damaged");
    for (const held& each : all_) {
      promised(lockfast_protect(each.secret, LOCKFAST_READWRITE) == 0, "opened in the end");
      promised(holds(each.secret, each.which, each.length), "whole in the end");
      lockfast_free(each.secret);
    }
    lockfast_trim();
    promised(simulated::bytes_locked() + simulated::bytes_hidden() <= page, "only the key's page is locked");
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    promised(now.live == 0 && now.live_sealed == 0, "none lives");
  }

 private:
  struct held {
    unsigned char* secret;
    std::size_t which, length;
  };

  void refuse(bool expected) {
    promised(expected, "a refusal as the header has it");
    ++refusals_;
  }
  void close(void* secret) { promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed"); }
  static lockfast_receipt receipt_of(const held& each) {
    lockfast_receipt receipt = {};
    promised(lockfast_describe(each.secret, &receipt) == 0, "a receipt");
    return receipt;
  }

  bool has_long_one_;
  std::vector<held> all_;
  int refusals_ = 0;
};

enum class refused { once, from_then_on };

std::size_t refuse_each(const char* policy, const machine& on, refused how) {
  for (std::size_t n = 1;; ++n) {
    CAPTURE(policy);
    CAPTURE(on.marked_map_limit);
    CAPTURE((how == refused::once));
    CAPTURE(n);
    constexpr int came = 7;
    const ending end = in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", policy), "the variable");
      simulated::set_lock_limit(on.lock_limit);
      simulated::set_hidden_limit(on.hidden_limit);
      simulated::set_moves(on.moves);
      simulated::set_guard_markers(on.marked_map_limit != 0);
      if (on.marked_map_limit != 0) simulated::set_map_limit(on.marked_map_limit);
      how == refused::once ? simulated::refuse_nth(n) : simulated::refuse_from(n);
      session one(on.has_long_one);
      one.run();
      const bool has_come = simulated::refused();
      simulated::refuse_nth(0);
      one.end(how == refused::once ? 1 : 1000);
      if (has_come) leave_with(came);
    });
    CAPTURE(end.text);
    if (end.clean()) return n;
    REQUIRE(end.status == came);
    REQUIRE(end.signal == 0);
  }
}

void refuse_both_ways(const char* policy, const machine& on) {
  CHECK(refuse_each(policy, on, refused::once) > 20);
  CHECK(refuse_each(policy, on, refused::from_then_on) > 20);
}

}  // namespace

TEST_CASE("a refusal of any call, once or from then on, leaves each secret whole, when all are sealed") {
  refuse_both_ways("rest=seal", {});
  refuse_both_ways("rest=seal", {.has_long_one = true});
  refuse_both_ways("rest=seal,freed=recycle", {.moves = false});
  refuse_both_ways("rest=seal", {.lock_limit = 3 * page});
  refuse_both_ways("rest=seal,hidden=on", {.hidden_limit = SIZE_MAX / 2});
  refuse_both_ways("rest=seal,hidden=off", {.marked_map_limit = 8});
}

TEST_CASE("a refusal of any call, once or from then on, leaves each secret whole, when pages run short") {
  refuse_both_ways("rest=auto", {.lock_limit = 3 * page});
  refuse_both_ways("rest=auto", {.lock_limit = 3 * page, .moves = false});
  // A hidden page that moves is in two places for a moment. When neither can be given back the process ends: no place may share the
  // page of another.
  CHECK(refuse_each("rest=auto", {.lock_limit = 0, .hidden_limit = 3 * page}, refused::once) > 20);
  refuse_both_ways("rest=auto", {.lock_limit = 0, .hidden_limit = 3 * page, .moves = false});
  refuse_both_ways("rest=auto,lock=preferred", {.lock_limit = 3 * page});
  refuse_both_ways("rest=auto,hidden=off", {.marked_map_limit = 8});
}
