// slab_race_test.cc - what another thread does to a secret in the middle of a walk over its bytes.
//
// A page in the secret is made to trap. The walk stops there, and the other thread gets its turn, for as long as it takes or until it
// is clear that it waits for the walk. Over the simulated host, whose pages are ordinary memory.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>

#include "allocator/base/wipes.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"

using namespace lockfast::internal;
namespace platform = lockfast::platform;

namespace {

constexpr std::size_t size = 3000;
constexpr std::size_t least_in_part = 32;  // bytes behind the trap that are wiped with those in front of it

std::byte* trapping;
std::atomic<bool> has_stopped;
std::atomic<bool> has_had_its_turn;

void give_the_turn(int) {
  (void)mprotect(trapping, platform::page_size(), PROT_READ | PROT_WRITE);
  has_stopped = true;
  constexpr int max_waits = 50;  // ms
  for (int waits = 0; waits < max_waits && !has_had_its_turn; ++waits) usleep(1000);
}

// A slab with one secret, which has the beginning of a page in it.
struct slab_with_secret {
  slab_with_secret() {
    // What mprotect divides.
    lockfast::simulated::set_page_size(static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
    const std::size_t page = platform::page_size();
    std::byte* const run = platform::reserve(4 * page, page, platform::fork_policy::absent).address;
    prove(run != nullptr && one.cut(run, 4 * page, size), "a slab");
    while (secret == nullptr) {
      if (one.free_count() == 0)
        prove(one.open_more({page_run::lock_wanted::if_possible, ECANCELED, platform::default_key}) == 0, "pages");
      index = one.take_free(0);
      std::byte* const next = one.occupy(index, size, 0, 0);
      const std::size_t to_page = page - reinterpret_cast<std::uintptr_t>(next) % page;
      // A wipe goes by parts of 64 bytes.
      if (to_page < size - 64 && 64 - to_page % 64 >= least_in_part) {
        secret = next;
        in_front = to_page;
      }
    }
    std::memset(secret, 'x', size);
    trapping = secret + in_front;
  }

  // walk(), in which the other thread does turn().
  template <class Walk, class Turn>
  void stop_in(Walk walk, Turn turn) {
    std::thread other([&] {
      while (!has_stopped) std::this_thread::yield();
      turn();
      has_had_its_turn = true;
    });
    struct sigaction action = {};
    action.sa_handler = give_the_turn;
    prove(sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0, "the handler");
    prove(mprotect(trapping, platform::page_size(), PROT_NONE) == 0, "the trap");
    walk();
    other.join();
    promised(has_stopped, "the walk came to the page");
  }

  slab one = slab(slab_region::none());
  std::size_t index = 0;
  std::byte* secret = nullptr;
  std::size_t in_front = 0;  // bytes of the secret in the page before
};

}  // namespace

TEST_CASE("a secret that is made shorter while everything is wiped has a whole canary") {
  check_clean(in_child([] {
    slab_with_secret held;
    // Its new canary lies where the wipe goes on.
    const auto wipe_everything = [&] {
      wipes::begin();
      promised(held.one.wipe_on_signal(), "pages that can be written");
      wipes::end();
    };
    held.stop_in(wipe_everything, [&] { held.one.resize(held.index, held.in_front + 8); });
    promised(held.one.damaged_count() == 0, "whole");
    for (std::size_t at = 0; at < held.in_front + 8; ++at) promised(held.secret[at] == std::byte{0}, "wiped");
  }));
}

TEST_CASE("a secret that is freed while its canaries are read is not damaged") {
  check_clean(in_child([] {
    slab_with_secret held;
    std::size_t damaged = 1;
    held.stop_in([&] { damaged = held.one.damaged_count(); }, [&] { held.one.vacate(held.index); });
    promised(damaged == 0, "none");
  }));
}
