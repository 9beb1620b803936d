// slab_bin.h - the slabs of one size class, in an arena or in a compartment.
//
//    all slabs:     a -> b -> c -> d -> e
//    with free:     c <-> e <-> b          slots are taken from the first; an emptied slab goes to the end
//
// A slab opens its next page, and the list takes its next slab, only when no slot is free. Slabs that are empty stay, locked,
// until a trim.
//
// Threads: everything, from any thread; one mutex, held across the system calls that open pages.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SLAB_BIN_H
#define LOCKFAST_ALLOCATOR_GROUPED_SLAB_BIN_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/base/breach.h"
#include "allocator/base/random.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_heap.h"
#include "platform/platform.h"

namespace lockfast::internal {

class slab_bin {
 public:
  struct settings {
    slab_heap* space;
    std::size_t capacity;
    std::size_t alignment;  // of every secret, as of slab::cut
    std::uint8_t class_index;
    std::uint8_t family;
    breach_signal signal;
    compartment* within;         // null for an arena's
    bool lock_required;          // no slot of an unlocked page is to be taken
    platform::error hide_error;  // why no slab is to be hidden, or 0
    platform::key protection_key;
    void (*forget_closed)(compartment& within) = nullptr;  // has it drop what it keeps of slabs that a crash has left closed
  };

  constexpr slab_bin() = default;
  void start(const settings& chosen) { settings_ = chosen; }

  enum class growth : std::uint8_t { none, locked, if_possible };

  // Takes up to `most` free slots, each chosen at random in its slab; how many. With a growth that allows it, more pages are
  // opened when there is none; 0 then comes with the refusal.
  [[nodiscard]] std::size_t take(slot_ref* out, std::size_t most, growth allowed, platform::error& refusal);

  // Takes the only slot of a slab of its own, of size bytes or a little more; false with the refusal.
  [[nodiscard]] bool take_single(slot_ref& out, std::size_t size, growth allowed, platform::error& refusal);

  // Puts free slots back, all of this list's slabs. The caller counts them.
  void put(const slot_ref* freed, std::size_t count);

  // slab::set_access of one of this list's slots.
  [[nodiscard]] platform::error protect(slot_ref closed, platform::access to);
  // Calls act() while every page of one of this list's slabs can be read, and returns what it returns.
  template <class Act>
  auto while_open(slab& opened, Act act) {
    const scoped_lock held(mutex_);
    opened.open_pages();
    const auto result = act();
    opened.close_pages();
    return result;
  }

  // Whether every slot of a slab waits here.
  [[nodiscard]] bool has_empty();
  // Retires the slabs of which every slot waits here, but for those whose pages the system does not take back; how many bytes.
  std::size_t trim();
  // Wipes and frees every live secret, and retires every slab; how many secrets. A slab whose pages the system does not take
  // back is nobody's from then on, wiped. Requires that no slot is in a thread cache.
  std::size_t clear();

  // Where something took the locks off: locks the slabs' pages again. A slab for which that is refused, where the policy requires
  // the lock, serves no more.
  void renew_locks();

  // Calls act(slab&) for each slab while none can be retired.
  template <class Do>
  void for_each(Do act) {
    const scoped_lock held(mutex_);
    drop_closed();
    for (slab* one = all_; one != nullptr; one = one->next_of_list) act(*one);
  }

  // The most slots of all lists that were live or in a thread cache at once; more by those that a crash or a fork left absent.
  [[nodiscard]] static std::size_t max_taken() { return max_taken_.load(std::memory_order_relaxed); }

  // In a forked child: no mutex is held, no slab known; occupy_in_child() then gives them back one by one.
  void reset_in_child();
  void occupy_in_child(slab& settled);

 private:
  [[nodiscard]] platform::error grow(growth allowed);
  [[nodiscard]] platform::error open_new(const page_run::opening& how, std::size_t capacity);
  [[nodiscard]] page_run::opening opening_of(growth allowed) const;
  static void count_taken(std::size_t slots);
  static void count_put(std::size_t slots) { taken_.fetch_sub(slots, std::memory_order_relaxed); }
  // Whether its free slots may be taken: not where the lock that is required was lost and is refused.
  [[nodiscard]] bool serves(const slab& one) const { return !settings_.lock_required || one.lock_refusal() == 0; }
  // Has slots handed out again that closed pages withhold.
  void end_withholding();
  void link(slab& one);
  void unlink(slab& one);
  void withdraw(slab& unserving);
  void enlist(slab& one);
  // Hands a slab that gave its pages back to the space.
  void give_up(slab& closed);
  // Lets go of the slabs that a crash has left closed; requires the mutex, and is done before anything else under it.
  void drop_closed() {
    if (closings_seen_ != slab::closings()) drop_closed_slowly();
  }
  void drop_closed_slowly();

  settings settings_ = {};
  platform::mutex mutex_;
  slab* first_ = nullptr;  // with free slots
  slab* last_ = nullptr;
  slab* all_ = nullptr;
  slab* growing_ = nullptr;  // the one that may have pages left to open
  random_choice random_;
  std::size_t closings_seen_ = 0;

  inline static constinit std::atomic<std::size_t> taken_ = 0;
  inline static constinit std::atomic<std::size_t> max_taken_ = 0;
};

}  // namespace lockfast::internal

#endif
