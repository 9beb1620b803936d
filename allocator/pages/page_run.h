// page_run.h - the open pages of one span or one slab: how they are taken, held in RAM and given back.
//
//    begin()                                       begin() + size()
//    | open pages: hidden, or locked, or neither   | inaccessible pages of the place
//
// Pages are hidden where that is wanted, and locked where hiding is not wanted or is refused. Where the lock is refused as well,
// the caller decides: the opening is refused, or the pages stay open without a lock.
//
// A run knows neither what lies in its pages nor their access; the span or slab that owns it does. A span opens its run in one
// piece, and all of it is locked or none. A slab opens page after page, so its run grows, and may be locked at the front and
// unlocked behind that: the slab knows how many bytes are locked and passes that number (`locked`).
//
// Invariants
//   1. All pages are hidden, or hide_error() says why not. It is negative while the run is empty.
//   2. Pages are hidden or locked before they are part of the run, or lock_error() says why they are not locked.
//   3. A function that refuses leaves the run as it was.
//
// The owner wipes the pages before it gives them back.
//
// Threads: any thread may call the queries. All else needs the span or the slab, and the caller holds the scope of fork_exclusion that
// a function takes. fill_gap_in_child() has one of its own.
#ifndef LOCKFAST_ALLOCATOR_PAGES_PAGE_RUN_H
#define LOCKFAST_ALLOCATOR_PAGES_PAGE_RUN_H

#include <cstddef>
#include <cstdint>

#include "allocator/base/relaxed.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/pages/region.h"
#include "platform/platform.h"

namespace lockfast::internal {

class page_run {
 public:
  enum class lock_wanted : std::uint8_t { always, if_possible };
  // brief: the pages are soon given back (platform::lock_briefly).
  enum class stay : std::uint8_t { lasting, brief };

  struct opening {
    lock_wanted lock;
    platform::error hide_error;  // 0: the pages are to be hidden; otherwise why not
    platform::key protection_key = platform::default_key;
    stay for_how_long = stay::lasting;
  };

  constexpr page_run() = default;

  // ---- Queries ----

  [[nodiscard]] std::byte* begin() const { return begin_; }  // null while the run is empty
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Why the pages are not locked; of a slab, those behind the locked ones. 0 where they are locked or hidden.
  [[nodiscard]] platform::error lock_error() const { return lock_error_; }
  // Why the pages are not hidden, or 0.
  [[nodiscard]] platform::error hide_error() const { return hide_error_; }
  [[nodiscard]] bool hidden() const { return hide_error_ == 0; }
  // Whether the run is empty and its last pages are a map of their own still.
  [[nodiscard]] bool left_map() const { return hide_error_ == empty_with_map; }
  // Whether the system says that something took the lock off pages that were locked.
  [[nodiscard]] static bool lock_lost(const std::byte* address, std::size_t size) {
    const auto held = platform::lock_held(address, size);
    return held == platform::hold::none || held == platform::hold::some;
  }

  // ---- Opening: `at` is where an empty run is to begin, and the end of any other; `in` is the region ----

  // Opens pages for writing: hidden where how.hide_error is 0, otherwise, or where that is refused, locked.
  [[nodiscard]] platform::error open(const fork_exclusion::scope& held, const region& in, std::byte* at, std::size_t size,
                                     opening how);
  // Opens hidden pages, or none.
  [[nodiscard]] platform::error open_hidden(const fork_exclusion::scope& held, const region& in, std::byte* at,
                                            std::size_t size, const opening& how);
  // Makes pages the run that the owner of an empty one has opened in a way of its own.
  void adopt(std::byte* at, std::size_t size, platform::error lock_error, platform::error hide_error);

  // ---- The lock ----

  // Notes why the pages are not locked, or 0.
  void set_lock_error(platform::error why) { lock_error_ = static_cast<std::int16_t>(why); }
  // Locks the first bytes again where something took their lock off. A refusal is kept in lock_error(), too.
  platform::error renew_lock(std::size_t locked);

  // ---- Giving back ----

  // unlocked: the pages are open, as before, but could not be locked again.
  enum class outcome : std::uint8_t { given_back, kept, unlocked };
  // Gives wiped pages back to the system: unlocks the first bytes, gives the frames up, and calls close_all(), which makes all
  // pages inaccessible or returns the errno of a refusal. In this order a closing has no page table entries to change, which takes
  // 1 us less; where it would keep the memory (platform::discards_before_closing) the frames go last. Where the system takes the
  // pages back, the caller calls forget() before it leaves the scope.
  template <class Close>
  [[nodiscard]] outcome give_back(const fork_exclusion::scope& held, const region& in, std::size_t locked, Close close_all);
  // Makes pages that have a protection key inaccessible and takes the key off, or those that have none.
  [[nodiscard]] static platform::error close(const region& in, std::byte* at, std::size_t size, platform::key had);
  // The run is empty from now on: its pages were given back, or are gone.
  enum class map : std::uint8_t { joined, left };
  void forget(map of_pages = map::joined);

  // ---- In a forked child, where no other thread runs ----

  // Opens empty pages in the gap that hidden ones left behind the first `kept` bytes; hidden, or locked if possible. False where
  // that is refused.
  [[nodiscard]] bool fill_gap_in_child(const region& in, std::size_t kept, platform::key protection_key);

 private:
  // In place of a hide_error, while the run is empty.
  static constexpr std::int16_t empty_and_joined = -1;
  static constexpr std::int16_t empty_with_map = -2;

  [[nodiscard]] static platform::error protect(std::byte* at, std::size_t size, platform::key through);
  [[nodiscard]] static platform::error hide(const fork_exclusion::scope& held, const region& in, std::byte* at,
                                            std::size_t size, platform::key protection_key);
  [[nodiscard]] platform::error lock(const region& in, std::byte* at, std::size_t size, const opening& how);
  void grow(std::byte* at, std::size_t size);

  // A span has 64 bytes: its own members may use what is left of these 24.
  relaxed<std::byte*> begin_;
  relaxed<std::size_t> size_;
  relaxed<std::int16_t> lock_error_;
  relaxed<std::int16_t> hide_error_ = empty_and_joined;
};

template <class Close>
page_run::outcome page_run::give_back(const fork_exclusion::scope& held, const region& in, std::size_t locked,
                                      Close close_all) {
  lock_watch::forget(begin_, size_);
  if (hidden()) {
    return fork_exclusion::unhide(held, begin_, size_, in.policy()) == 0 ? outcome::given_back : outcome::kept;
  }
  if (locked != 0 && platform::unlock(begin_, locked) != 0) return outcome::kept;
  const bool empties_first = platform::discards_before_closing();
  if (empties_first) platform::discard(begin_, size_);
  if (close_all() == 0) {
    if (!empties_first) platform::discard(begin_, size_);
    return outcome::given_back;
  }
  const auto refusal = locked != 0 ? platform::lock(begin_, locked) : 0;
  if (refusal != 0) set_lock_error(refusal);
  return refusal == 0 ? outcome::kept : outcome::unlocked;
}

}  // namespace lockfast::internal

#endif
