// wipe_in_call_test.cc - a signal handler that wipes everything while it has interrupted a call of its thread: nothing of the secret is
// left, and the program goes on.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>
#include <thread>

#include "behaviour/grouped.h"
#include "support/patience.h"
#include "support/reach.h"
#include "support/receipt.h"
#include "support/sanitized.h"

namespace {

constexpr std::size_t size = 60000;  // the cipher takes long enough to be met in its middle
constexpr unsigned char content = 0xa7;

volatile std::sig_atomic_t is_armed = 0;
volatile std::sig_atomic_t has_wiped = 0;

void wipe_once(int) {
  if (is_armed == 0) return;
  is_armed = 0;
  lockfast_wipe_all();
  has_wiped = 1;
}

void set_timer(long microseconds) {
  const itimerval once = {{0, 0}, {0, static_cast<suseconds_t>(microseconds)}};
  prove(setitimer(ITIMER_REAL, &once, nullptr) == 0, "a timer");
}

// That takes no signal, and does nothing until the process ends.
void begin_idle_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([] {
    for (;;) pause();
  }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

unsigned char* new_secret() {
  auto* const secret = static_cast<unsigned char*>(lockfast_malloc_isolated(size));
  prove(secret != nullptr, "a secret");
  promised(std::all_of(secret, secret + size, [](unsigned char byte) { return byte == 0; }), "a new secret is zero");
  std::memset(secret, content, size);
  return secret;
}

// What is left of a secret that was closed, or open, when a call to another access was interrupted by the wipe.
void expect_wiped(unsigned char* secret, lockfast_access now) {
  promised(receipt_of(secret).access == now, "the receipt has the access that was asked for");
  promised(readable_here(secret) == (now != LOCKFAST_NOACCESS), "and the pages have it");
  prove(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened");
  if (has_wiped != 0) promised(std::none_of(secret, secret + size, [](unsigned char byte) { return byte == content; }), "wiped");
}

// Has calls interrupted until so many wipes came in their middle or just past it; each at a moment of its own within what calls take.
template <class Call>
void interrupt(int wipes, Call call) {
  using clock = std::chrono::steady_clock;
  long longest = 50;
  unsigned number = 12345;
  while (wipes != 0) {
    unsigned char* const secret = new_secret();
    number = number * 1664525 + 1013904223;
    has_wiped = 0;
    is_armed = 1;
    const auto begin = clock::now();
    call(secret, [&] { set_timer(1 + static_cast<long>(number >> 8) % longest); });
    is_armed = 0;
    if (has_wiped != 0) --wipes;
    const long took = static_cast<long>(std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - begin).count());
    longest = std::clamp(has_wiped != 0 ? longest : took, 20L, 2000L);
  }
}

}  // namespace

TEST_CASE("a handler that wipes everything in the middle of a call of its thread leaves nothing, and new secrets are zero") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer delays signals until no call is interrupted");
    return;
  }
  constexpr int wipes = 50;
  for (const std::string policy : {"rest=seal", "rest=seal,freed=recycle", "rest=keep"}) {
    // Beside another thread the handler can't take what is busy for its own thread's.
    for (const bool alone : {true, false}) {
      CAPTURE(policy);
      CAPTURE(alone);
      const ending end = in_child([&] {
        options(policy);
        if (!alone) begin_idle_thread();
        prove(std::signal(SIGALRM, wipe_once) != SIG_ERR, "a handler");
        // A call on a secret of one access, which has another one afterwards, perhaps at another place.
        const auto interrupted = [](lockfast_access before, lockfast_access after, auto call) {
          interrupt(wipes, [=](unsigned char* secret, auto start) {
            prove(lockfast_protect(secret, before) == 0, "its access");
            start();
            unsigned char* const found = call(secret);
            is_armed = 0;
            promised(found != nullptr, "done");
            expect_wiped(found, after);
            lockfast_free(found);
          });
        };
        interrupted(LOCKFAST_NOACCESS, LOCKFAST_READWRITE, [](unsigned char* secret) {
          return lockfast_protect(secret, LOCKFAST_READWRITE) == 0 ? secret : nullptr;
        });
        interrupted(LOCKFAST_READWRITE, LOCKFAST_NOACCESS, [](unsigned char* secret) {
          return lockfast_protect(secret, LOCKFAST_NOACCESS) == 0 ? secret : nullptr;
        });
        interrupted(LOCKFAST_NOACCESS, LOCKFAST_NOACCESS,
                    [](unsigned char* secret) { return static_cast<unsigned char*>(lockfast_realloc(secret, size)); });
      });
      INFO(end.text);
      CHECK(end.clean());
    }
  }
}
