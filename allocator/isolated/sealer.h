// sealer.h - what the arenas of a family share to seal closed secrets: the key, who has pages, and when to seal.
//
// Threads: everything, from any thread; start() and the functions for a fork once, alone.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SEALER_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SEALER_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/isolated/closed_list.h"
#include "allocator/isolated/rest_key.h"
#include "allocator/pages/map_watch.h"
#include "platform/platform.h"

namespace lockfast::internal {

class sealer {
 public:
  // When a closed secret is sealed: never; when locks, hidden pages or maps run short; at once.
  enum class when : std::uint8_t { never, shortage, closing };

  constexpr sealer() = default;

  void start(when chosen, platform::fork_policy fork, platform::error hide_error, std::size_t max_wiped_runs) {
    when_ = chosen;
    fork_ = fork;
    hide_error_ = hide_error;
    max_wiped_runs_ = max_wiped_runs;
  }

  // Takes the key's page, for which there may be no room. Closing a secret comes here until there is one, now and then.
  void prepare() {
    key.prepare(fork_, hide_error_);
    if (key.refusal() == 0) settle();
  }
  // Gives the key's page back: how many bytes that was (rest_key::give_back).
  [[nodiscard]] std::size_t give_key_back(bool (*unused)(void* of), void* of) {
    if (key.refusal() != 0) return 0;
    closing_is_plain_.store(false, std::memory_order_relaxed);
    const std::size_t bytes = key.give_back(unused, of);
    tries_.store(0, std::memory_order_relaxed);
    foundings_.store(0, std::memory_order_relaxed);
    if (bytes == 0) settle();
    return bytes;
  }
  // The same in a page of a secret that is closed: isolated_arena::found_key().
  void settle() { closing_is_plain_.store(when_ == when::shortage && !exceeds_maps(), std::memory_order_relaxed); }
  [[nodiscard]] bool tries_again() { return tries_.fetch_add(1, std::memory_order_relaxed) % closings_for_a_try == 0; }
  [[nodiscard]] bool tries_to_found() { return foundings_.fetch_add(1, std::memory_order_relaxed) % closings_for_a_try == 0; }
  // Whether closing a secret that is held in RAM is a change of access and no more.
  [[nodiscard]] bool closing_is_plain() const { return closing_is_plain_.load(std::memory_order_relaxed); }
  // Why a closed secret cannot be sealed; 0 when it can. ECANCELED where the policy does not ask for it.
  [[nodiscard]] platform::error seal_refusal() const { return when_ == when::never ? ECANCELED : key.seal_refusal(); }
  [[nodiscard]] platform::error refusal() const { return when_ == when::never ? ECANCELED : key.refusal(); }

  void renew_lock() { key.renew_lock(); }

  // How many sealed secrets still have a run, wiped: to open one of those again costs less. add_run() has to be called for each that
  // keeps one, drop_run() when the run leaves it.
  void add_run() { wiped_runs_.fetch_add(1, std::memory_order_relaxed); }
  void drop_run() { wiped_runs_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] bool has_runs_to_spare() const {
    const std::size_t runs = wiped_runs_.load(std::memory_order_relaxed);
    return runs != 0 && runs >= max_wiped_runs_;
  }
  // Whether a secret keeps its wiped run when it is sealed at its closing; add_run() has to be called then. A hidden run is cheaper to
  // take over than a new one is to make. A locked one pays only if its own secret is opened again before the run goes to another. Where
  // that was rare, one in 16 keeps its run all the same, so that a change is seen.
  [[nodiscard]] bool keeps_wiped_run(bool hidden) {
    if (wiped_runs_.load(std::memory_order_relaxed) > max_wiped_runs_) return false;
    if (hidden || kept_pay_.load(std::memory_order_relaxed) != 0) return true;
    return closings_.fetch_add(1, std::memory_order_relaxed) % closings_for_a_try == 0;
  }
  // A secret was opened in the run that it kept; and a run that was kept was given up for another's opening. The first saves five times
  // what the second loses. Threads may overlook each other's.
  void see_kept_run_used() { set_kept_pay(kept_pay_.load(std::memory_order_relaxed) + 5); }
  void see_kept_run_lost() { set_kept_pay(kept_pay_.load(std::memory_order_relaxed) - 1); }

  // Whether pages are short: then a closed secret's are asked for first. Where the system refused some lately it is asked now and
  // then all the same, since others may have given some back, or the limit was raised; and from then on, until it refuses again.
  [[nodiscard]] bool is_short() {
    const unsigned why = short_of_.load(std::memory_order_relaxed);
    if (why == 0) return false;
    if ((why & maps) != 0 || asked_.fetch_add(1, std::memory_order_relaxed) % asks_system_each != 0) return true;
    set_short(false);
    return false;
  }
  void set_short(bool is) { set(pages, is); }
  // Whether pages are taken from closed secrets before the system is asked for some: it would refuse, or there are enough that hold
  // nothing.
  [[nodiscard]] bool lacks_room() { return (has_runs_to_spare() || is_short()) && !take_room(); }
  // How many secrets may be sealed ahead of openings to come, each of which finds room then; and one that was.
  [[nodiscard]] std::size_t max_ahead() const { return max_wiped_runs_ / 4; }
  void add_room() { room_.fetch_add(1, std::memory_order_relaxed); }
  // Whether the limit on maps is near, or so near that what is closed is to be sealed at once.
  [[nodiscard]] bool lacks_maps() const { return (short_of_.load(std::memory_order_relaxed) & maps) != 0; }
  void set_room_for_maps(map_watch::room now) {
    set(maps, now != map_watch::room::left);
    set(closed_maps, now == map_watch::room::exceeded);
    if (key.refusal() == 0) settle();
  }

  // In a forked child: whether what the parent sealed can be opened.
  [[nodiscard]] bool opens_inherited() const { return opens_inherited_; }
  void settle_in_child() {
    opens_inherited_ = key.settle_in_child();
    tries_.store(0, std::memory_order_relaxed);
    foundings_.store(0, std::memory_order_relaxed);
    closed.reset_in_child();
    wiped_runs_.store(0, std::memory_order_relaxed);
    set_short(false);
    room_.store(0, std::memory_order_relaxed);
    // With a key that was inherited nobody asks for one again.
    closing_is_plain_.store(false, std::memory_order_relaxed);
    if (key.refusal() == 0) settle();
  }

  rest_key key;
  closed_list closed;

 private:
  // What is short.
  static constexpr unsigned pages = 1;
  static constexpr unsigned maps = 2;
  static constexpr unsigned closed_maps = 4;

  void set(unsigned what, bool is) {
    if (((short_of_.load(std::memory_order_relaxed) & what) != 0) == is) return;
    is ? short_of_.fetch_or(what, std::memory_order_relaxed) : short_of_.fetch_and(~what, std::memory_order_relaxed);
  }
  [[nodiscard]] bool take_room() {
    std::size_t left = room_.load(std::memory_order_relaxed);
    while (left != 0 && !room_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {
    }
    return left != 0;
  }
  void set_kept_pay(int now) { kept_pay_.store(std::clamp(now, 0, max_kept_pay), std::memory_order_relaxed); }
  [[nodiscard]] bool exceeds_maps() const { return (short_of_.load(std::memory_order_relaxed) & closed_maps) != 0; }

  static constexpr std::uint32_t asks_system_each = 64;
  static constexpr std::uint32_t closings_for_a_try = 16;
  static constexpr int max_kept_pay = 64;

  when when_ = when::never;
  platform::fork_policy fork_ = platform::fork_policy::absent;
  platform::error hide_error_ = 0;
  std::size_t max_wiped_runs_ = 0;
  bool opens_inherited_ = true;
  std::atomic<std::size_t> wiped_runs_ = 0;
  std::atomic<unsigned> short_of_ = 0;
  std::atomic<std::size_t> room_ = 0;
  std::atomic<std::uint32_t> asked_ = 0;
  std::atomic<std::uint32_t> tries_ = 0;
  std::atomic<std::uint32_t> foundings_ = 0;
  std::atomic<std::uint32_t> closings_ = 0;
  std::atomic<int> kept_pay_ = max_kept_pay;
  std::atomic<bool> closing_is_plain_ = false;
};

}  // namespace lockfast::internal

#endif
