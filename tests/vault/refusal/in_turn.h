// in_turn.h - runs a deed with the first call that may be refused refused, then with the second, and so on until it is done: the host's
// calls, then the blocks of the ordinary heap and of libcrypto's. Each time in a child.
#ifndef LOCKFAST_TESTS_VAULT_REFUSAL_IN_TURN_H
#define LOCKFAST_TESTS_VAULT_REFUSAL_IN_TURN_H

#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <utility>

#include "platform/simulated/simulated.h"
#include "support/child.h"
#include "support/sanitized.h"
#include "support/short_heap.h"

// The call that is refused this time, between begin() and end().
class turn {
 public:
  turn(void (*refuse_nth)(std::size_t), bool (*refused)(), std::size_t n) : refuse_nth_(refuse_nth), refused_(refused), n_(n) {}

  void begin() { refuse_nth_(n_); }
  void end() {
    was_refused_ = refused_();
    refuse_nth_(0);
  }
  [[nodiscard]] bool was_refused() const { return was_refused_; }

 private:
  void (*refuse_nth_)(std::size_t);
  bool (*refused_)();
  std::size_t n_;
  bool was_refused_ = false;
};

inline std::size_t live_secrets() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now.live;
}

// act(turn&) sets its scene up, does the deed within the turn, checks what is there then, and returns whether the deed was done. How often
// it was not. A refusal to close what was open is a breach, and says so.
template <class Act>
std::size_t refuse_in_turn(const Act& act) {
  // What a child leaves with when it kept every promise.
  constexpr int every_call_was_let = 40;
  constexpr int done_all_the_same = 41;
  constexpr int refused_deed = 42;
  namespace simulated = lockfast::simulated;
  std::size_t refusals = 0;
  for (const auto& [refuse_nth, refused] :
       {std::pair(&simulated::refuse_nth, &simulated::refused), std::pair(&short_heap::refuse_nth, &short_heap::refused)}) {
    bool more = true;
    for (std::size_t n = 1; more; ++n) {
      REQUIRE(n < 5000);
      const ending end = in_child([&, now = turn(refuse_nth, refused, n)]() mutable {
        const std::size_t before = live_secrets();
        const bool done = act(now);
        promised(done || now.was_refused(), "no refusal without a cause");
        promised(live_secrets() == before, "nothing left behind");
        if (under_tsan) lockfast::refresher::stop();  // else the sanitizer waits a second for its thread
        _exit(!now.was_refused() ? every_call_was_let : done ? done_all_the_same : refused_deed);
      });
      CAPTURE(n);
      CAPTURE(end.text);
      const bool breach = end.signal == SIGABRT && end.said("access refused");
      const bool known = breach || (end.signal == 0 && end.status >= every_call_was_let && end.status <= refused_deed);
      CHECK(known);
      refusals += end.status == refused_deed ? 1 : 0;
      more = end.status != every_call_was_let && known;
    }
  }
  return refusals;
}

#endif
