// slab.h - a page run cut into equal slots, each for one grouped secret.
//
//    +-------+---------------------------------------------------------+------------+-------+
//    | guard | | canary secret canary | canary secret canary |   ...   | not opened | guard |
//    +-------+---------------------------------------------------------+------------+-------+
//             ^ a gap, so that every secret lies at a multiple of the slab's alignment; where that is more than 16, one behind
//               each slot, too. What is written into a gap does not matter.
//
//    a slot:   | front: 8 or more | secret: size bytes | rear: 8 or more, up to the slot's end |
//
// Pages are opened and locked from the front on, one after the other, when no slot is left in those that are open. What is
// known of a slot (free or live, generation, size) is kept out of line.
//
// Invariants
//   1. A slot is handed out only when it lies in opened pages: locked, where the system allows it, before it was written.
//   2. A free slot is zero in every byte; that is verified when it is handed out again.
//   3. No page is unlocked before every slot of the slab is free: only retire() unlocks, all pages at once.
//   4. free slots in free_slots() + those withheld + slots in thread_caches + live slots == slot_count().
//   5. A page is closed, for writing or for both, only while every slot in it is live without that access, or waits here; slots
//      that wait and have a part in it are withheld: none is handed out.
//
// Threads: a slot's own functions belong to whoever holds the slot or its secret. Where two threads misuse one secret at once,
// by two frees, say, the slot is found live when it is to be handed out the second time. The rest belongs to whoever holds the
// mutex of the slab's list.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SLAB_H
#define LOCKFAST_ALLOCATOR_GROUPED_SLAB_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/base/canary.h"
#include "allocator/base/family.h"
#include "allocator/base/relaxed.h"
#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slot.h"
#include "allocator/grouped/slot_canary.h"
#include "allocator/pages/page_run.h"
#include "platform/access_checker.h"
#include "platform/platform.h"

namespace lockfast::internal {

class compartment;
class slab;
class slab_bin;
class slab_region;

// A slot by its slab and its number.
struct slot_ref {
  slab* in;
  std::size_t index;
};

class alignas(64) slab {
 public:
  // The number of a thread cache's bin for a family's slots of a class; one past all of them that is always empty, without room.
  [[nodiscard]] static constexpr std::uint8_t bin_of(std::size_t family, std::size_t class_index) {
    return static_cast<std::uint8_t>(family * size_class::count + class_index);
  }
  static constexpr std::uint8_t no_bin = family_count * size_class::count;

 private:
  // What a warm pair reads, first: one cache line and a half.
  relaxed<std::byte*> begin_ = nullptr;  // of the first slot
  relaxed<slot*> slots_ = nullptr;
  std::uint64_t reciprocal_ = 0;  // 2^64 / stride_, rounded up by 1 at most; 0 where there is one slot
  relaxed<std::size_t> stride_;
  relaxed<std::size_t> capacity_;
  std::atomic<std::size_t> slot_count_ = 0;  // written last: whoever sees a slot counted may read what is known of it
  relaxed<std::byte*> run_ = nullptr;
  std::atomic<std::size_t> owned_ = 0;  // bytes of all slots that fit the run; 0 while the slab has none. See owns().

 public:
  std::uint8_t class_index = 0;
  std::uint8_t family = 0;
  relaxed<std::uint8_t> bin_index = no_bin;       // of the bin in thread caches that freed slots may wait in, or no_bin
  relaxed<std::uint8_t> fast_bin_index = no_bin;  // the same if vacate_fast takes the slab's secrets, otherwise no_bin

 private:
  canary_key key_ = {};

 public:
  // Bytes of canary in front of a secret and behind it, at least.
  static constexpr std::size_t margin = 8;
  static constexpr std::size_t overhead = 2 * margin;
  // Every secret's address is a multiple of this, at least.
  static constexpr std::size_t alignment = 16;

  // One without slots until cut().
  constexpr explicit slab(slab_region& holder) : home(holder) {}

  // Whether the address lies among this slab's slots, opened or not. Any thread may call this on any slab with a live secret's address,
  // while another thread cuts that slab. Only if it returns true may the thread read other fields: a slab with a live secret is not cut.
  [[nodiscard]] bool owns(const std::byte* address) const { return owns_at(offset_of(address)); }
  // The same by the address's offset from the first slot.
  [[nodiscard]] bool owns_at(std::uintptr_t offset) const { return offset < owned_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uintptr_t offset_of(const std::byte* address) const {
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(static_cast<std::byte*>(begin_));
  }

  // ---- Slots, by their number ----

  // The number of the slot that the address lies in; slot_count() or more where there is none.
  [[nodiscard]] std::size_t index_of(const void* address) const;
  [[nodiscard]] std::size_t slot_count() const { return slot_count_.load(std::memory_order_acquire); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Where a slot's secret begins that asked for no alignment; not of a slab that another thread may cut.
  [[nodiscard]] std::byte* place(std::size_t index) const { return begin_ + margin + index * stride_.owned(); }
  [[nodiscard]] slot::header header(std::size_t index) const { return slots_[index].read(); }
  [[nodiscard]] std::byte* secret(std::size_t index) const { return place(index) + header(index).shift(); }
  [[nodiscard]] std::size_t size(std::size_t index) const { return size_of(header(index)); }
  // Whether the slot holds a live secret that begins at the address.
  [[nodiscard]] bool holds(std::size_t index, const void* address) const {
    return index < slot_count() && (header(index).is_live() || settles(index)) && secret(index) == address;
  }
  // Whether the address is the place of a slot.
  [[nodiscard]] bool begins_slot(const std::byte* address) const {
    const auto [number, past] = quotient_of_place(offset_of(address));
    return number < slot_count() && past < reciprocal_;
  }
  // Whether it held one that was freed.
  [[nodiscard]] bool held(std::size_t index, const void* address) const {
    return index < slot_count() && header(index).is_free() && secret(index) == address;
  }

  // Makes a free slot the secret of size bytes, each of them value, `shift` bytes (a multiple of alignment) behind its place.
  // A slot that is not free is the trace of a double free, one that is not zero of a write after free: breaches.
  [[gnu::returns_nonnull]] std::byte* occupy(std::size_t index, std::size_t size, std::size_t shift, int value);
  // The same without a shift, of zeros, for a capacity of at most max_fast (fast_path.h).
  static constexpr std::size_t max_fast = 1024;
  [[nodiscard]] std::byte* occupy_fast(std::size_t index, std::size_t size);
  // Verifies a live secret's canaries, a breach when they are broken, and wipes the whole slot: it is free.
  void vacate(std::size_t index);
  // The same for the address of a secret without a shift, and which slot it was; false, and nothing, when none begins there that
  // is whole.
  [[nodiscard]] bool vacate(std::byte* secret, std::size_t& index);
  // The same for a capacity of at most max_fast (fast_path.h).
  // Requires that the slab owns the address, whose offset it is.
  [[nodiscard]] bool vacate_fast(std::byte* secret, std::uintptr_t offset, std::size_t& index);
  // Whether a live secret's canaries are whole, read at leisure by whoever may use the secret.
  [[nodiscard]] bool intact(std::size_t index) const;
  // The same while its owner may free it at any moment; true also when that happened meanwhile.
  [[nodiscard]] bool intact_or_freed(std::size_t index) const;
  // How many live secrets are damaged; intact_or_freed() of each.
  [[nodiscard]] std::size_t damaged_count() const;
  // Changes the size of a live secret within its slot: wipes what is cut off, fills what is added with fresh bytes.
  void resize(std::size_t index, std::size_t size);
  [[nodiscard]] bool fits(std::size_t index, std::size_t size) const { return header(index).shift() + size <= capacity_; }
  // Whether so short a secret can be told of in the slot's header; requires that it fits.
  [[nodiscard]] bool can_be_cut_to(std::size_t index, std::size_t size) const {
    return capacity_ - header(index).shift() - size <= slot::max_slack;
  }
  // ---- The access of single secrets, for whoever holds the mutex of the slab's list ----

  // Records what is asked for a live secret, which is verified, and opens or closes the pages that it has a part in: a page is as
  // open as the most open of its tenants, and a free slot in a thread's cache has it open for writing. A refusal leaves all as it
  // was.
  [[nodiscard]] platform::error set_access(std::size_t index, platform::access to);
  // Whether no page of a live secret is more open than was asked for it.
  [[nodiscard]] bool access_in_force(std::size_t index) const;
  // Opens every page until close_pages(), which closes those again that were.
  void open_pages();
  void close_pages();
  // Opens the pages for which slots are withheld: whether any is free now.
  [[nodiscard]] bool end_withholding();

  // Why the pages of a slot, or of an address in opened pages, are not locked, or 0; lock_error_now: or ECANCELED where the system
  // says that something took the lock off.
  [[nodiscard]] platform::error lock_error(std::size_t index) const;
  [[nodiscard]] platform::error lock_error_now(std::size_t index) const;
  [[nodiscard]] platform::error lock_error_at(const std::byte* address) const {
    return address < run_ + locked_ ? 0 : lock_refusal();
  }

  // ---- Pages ----

  [[nodiscard]] std::byte* run() const { return run_; }
  [[nodiscard]] std::size_t opened_bytes() const { return opened_.size(); }
  [[nodiscard]] std::size_t locked_bytes() const { return locked_; }
  // Why what is opened, but not within locked_bytes(), is not locked.
  [[nodiscard]] platform::error lock_refusal() const { return opened_.lock_error(); }

  // Why the pages are not hidden, or 0.
  [[nodiscard]] platform::error hide_error() const { return opened_.hide_error(); }
  [[nodiscard]] bool hidden() const { return opened_.hidden(); }

  // Gives the slab a run and cuts it into slots of a capacity, none of them opened yet, whose places are multiples of an
  // alignment: a power of two from `alignment` to a page. False when there is no memory for the records of its slots.
  [[nodiscard]] bool cut(std::byte* run, std::size_t run_size, std::size_t capacity, std::size_t place_alignment = alignment);

  // Opens the pages of at least one more slot, for writing, and hides them, or locks them where the first could not be hidden.
  // Refused when they can't be had so, or with ENOSPC when there are no more in this slab; with nothing changed.
  [[nodiscard]] platform::error open_more(const page_run::opening& how);
  // Unlocks and closes every page and gives their frames back; requires every slot free, in free_slots. False when the system
  // does not take them back; the pages are wiped, and otherwise as before.
  [[nodiscard]] bool retire();
  [[nodiscard]] platform::error protect(platform::access to) { return platform::protect(run_, opened_bytes(), to); }
  // Locks again, where closing took the lock off, what is locked while it is open. A refusal is returned, or kept in lock_error()
  // under lock_wanted::if_possible.
  [[nodiscard]] platform::error lock_after_closing(page_run::lock_wanted wanted);
  // Locks the pages again where something took their lock off; a refusal stays in lock_error().
  void renew_lock();

  // ---- Free slots that wait here ----

  [[nodiscard]] std::size_t free_count() const { return free_count_; }
  // Free slots that are not to be handed out as long as their page is closed.
  [[nodiscard]] std::size_t withheld_count() const { return withheld_; }
  [[nodiscard]] bool all_free() const { return free_count_ == slot_count(); }
  [[nodiscard]] std::size_t take_free(std::size_t chosen);
  void put_free(std::size_t index);

  // ---- Where no other thread runs ----

  // For a signal handler, while other threads run: has the pages stay open until end_wipe(). False when they are about to be
  // closed, or when another handler wipes them: there is no secret left in them then, or soon.
  [[nodiscard]] bool begin_wipe();
  void end_wipe();
  // Wipes what every live secret holds, and every other slot whole; canaries stay. Between the two. False when the pages can not be
  // written.
  [[nodiscard]] bool wipe_on_signal();
  // The same for pages that the system does not open for writing: false when it does not let that in either.
  [[nodiscard]] bool wipe_closed_on_signal();
  // One slot of it; false if that is to be tried again. The last try wipes whatever there is.
  [[nodiscard]] bool wipe_as_found(std::size_t index, bool is_last);
  // Whether a slot is live as soon as nobody wipes it.
  [[nodiscard, gnu::cold]] bool settles(std::size_t index) const;
  // Overwrites what every live secret holds, where another thread may close the pages meanwhile.
  void overwrite_on_signal();
  // Leaves its secrets absent, its pages closed until the last of them is freed; its list gives up its hold later. Between the
  // two as well; requires wiped secrets. False when the system would not close the pages.
  [[nodiscard]] bool leave_closed();
  // How often that happened, to any slab.
  [[nodiscard]] static std::size_t closings() { return closings_; }
  // Its list lets go of one that was left so: whether there is no absent secret, either.
  [[nodiscard]] bool leave_list();
  // Unlocks and gives back the pages of one left so, of which no secret is left. False when the system does not take them back:
  // then the slab is nobody's from then on.
  [[nodiscard]] bool retire_closed();
  // Opens the pages of one left so where an address lies in them and they are not open; closes them again.
  [[nodiscard]] bool show_absent(const void* address);
  void close_absent();
  // In a forked child, of one left so: it is in no list, and its pages are as never opened. Whether it has absent secrets.
  [[nodiscard]] bool forget_closed_in_child(platform::fork_policy policy);
  // In a forked child: has empty pages behind the first `kept` bytes, which are there, in place of hidden ones that stayed with
  // the parent; false when that is refused.
  [[nodiscard]] bool fill_gap_in_child(std::size_t kept);
  // What is known of the slots, for a copy of the pages: as many bytes, a multiple of the page size.
  [[nodiscard]] std::size_t headers_bytes() const;
  void copy_headers(std::byte* to) const;
  // In a forked child, of a copy of the pages: wipes the slots whose tenants have changed since the header were copied.
  void renew_in_child(const std::byte* known_then);
  // In a forked child, of pages that were put in place of those: gives them the protection key that those had.
  [[nodiscard]] bool restore_key_in_child() const;
  // In a forked child, of pages that can be written: makes them the child's own and locks them, with a new canary key; every
  // slot that is not live is wiped and waits here. Where the contents came along, a canary that is broken stays so.
  enum class contents : std::uint8_t { inherited, lost };
  void settle_in_child(contents found);
  // In a forked child that cannot open them all: they are as never opened. Where that is refused, no secret is left in those that are
  // open, which are closed as far as there are maps.
  void lose_pages_in_child() const;
  // In a forked child that does not have the pages: the live secrets are absent. How many those are.
  std::size_t leave_absent();
  // In a forked child that does not have the region either: no address lies in this slab any more.
  void disown() {
    platform::permit(run_, run_size_);
    owned_.store(0, std::memory_order_release);
  }
  // Frees a live secret that is absent; whether it was the last one, and no list holds the slab.
  [[nodiscard]] bool vacate_absent(std::size_t index);

  slab_region& home;
  relaxed<slab_bin*> list = nullptr;  // whose it is; null while it is nobody's
  slab* next = nullptr;               // in its list's chain of slabs with free slots, or in its space's of closed ones
  slab* previous = nullptr;           // in its list's chain
  slab* next_of_list = nullptr;       // in its list's chain of all slabs
  compartment* within = nullptr;      // the compartment that it belongs to, or null
  // Live secrets that stayed with the parent of a fork, or that a crash wiped; then one more while a list holds the slab.
  std::atomic<std::size_t> absent_count = 0;
  breach_signal signal = breach_signal::abort;

 private:
  // Whether a slot is zero, canaries and all; requires a capacity of at most max_fast.
  [[nodiscard]] static bool blank(const std::byte* secret, std::size_t capacity);
  // occupy_fast() of a slot that is not blank: occupy() finds the breach, or what else it is.
  [[nodiscard, gnu::noinline]] std::byte* occupy_unusual(std::byte* place, std::size_t size);
  // occupy_fast() of a secret that does not fill its slot, which was verified to be blank.
  [[nodiscard, gnu::noinline]] std::byte* occupy_in_part(slot& entered, slot::header before, std::byte* secret,
                                                         std::size_t size);
  // vacate() of such a secret, or of any other; false, with nothing changed, if it is not live, not plain, or damaged.
  [[nodiscard]] bool vacate_in_part(slot& left, slot::header known, std::byte* secret);
  // Marks a slot as free; the caller wipes it afterwards. intact_or_freed reads the state, then the bytes, then the state again: it
  // must not see wiped bytes between two states that say "live".
  static void leave(slot& left, slot::header freed) {
    left.write(freed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  // Marks a slot as being occupied; the caller writes the canaries afterwards. A signal handler that wipes must not see canaries while
  // the state still says "free".
  static void enter(slot& entered, slot::header entering) {
    entered.write(entering);
    std::atomic_thread_fence(std::memory_order_release);
  }

  // Has a checker report what touches the bytes of a slot beside its secret (platform/access_checker.h); the same for a new secret, which
  // is named; the same of every opened byte.
  void forbid_beside(std::size_t index) const;
  [[gnu::cold, gnu::noinline]] void announce(std::size_t index) const;
  void forbid_all_but_secrets() const;

  [[nodiscard]] std::size_t slots_in(std::size_t bytes) const;
  // Bytes in front of the first slot.
  [[nodiscard]] std::size_t lead() const { return static_cast<std::size_t>(begin_ - run_); }
  // Bytes of a slot, the canaries included; stride_ has the gap, too.
  [[nodiscard]] std::size_t slot_size() const { return capacity_ + overhead; }
  // Which slot an address lies in. It is that slot's place when `past` is below reciprocal_: with that rounded up by less than 1,
  // a place's is at most its offset in the slab, and any other address's is a reciprocal at least.
  struct quotient {
    std::uint64_t index;
    std::uint64_t past;
  };
  [[nodiscard]] quotient quotient_of(std::uintptr_t offset) const {
    const platform::wide_product wide(static_cast<std::uint64_t>(static_cast<std::intptr_t>(offset)), reciprocal_);
    return {wide.high, wide.low};
  }
  // That of the place of a secret without a shift.
  [[nodiscard]] quotient quotient_of_place(std::uintptr_t offset) const { return quotient_of(offset - margin); }
  [[nodiscard]] std::size_t size_of(slot::header known) const { return capacity_ - known.shift() - known.slack(); }
  [[nodiscard]] bool intact(std::size_t index, slot::header known) const;
  // Has the run grow by hidden pages: up to `least` bytes or more. ENOSPC when that is refused.
  [[nodiscard]] platform::error grow_hidden(const fork_exclusion::scope& held, std::size_t least, const page_run::opening& how);
  [[nodiscard]] platform::error close_opened() const;
  void take_pages();
  [[nodiscard]] bool give_back();
  // By the number of a page in the run.
  [[nodiscard]] platform::access page_access(std::size_t page) const;
  void note_page_access(std::size_t page, platform::access to);
  [[nodiscard]] platform::access wanted_page_access(std::size_t page) const;
  [[nodiscard]] platform::error settle_page(std::size_t page);
  [[nodiscard]] bool lies_in_closed_page(std::size_t index) const;
  void sort_waiting();
  [[nodiscard]] platform::error close_noted_pages();
  struct pages {
    std::size_t first;
    std::size_t last;
  };
  [[nodiscard]] pages pages_of(std::size_t index) const;
  [[noreturn, gnu::cold, gnu::noinline]] void end(breach reason) const { end_process(reason, signal); }

  std::size_t run_size_ = 0;
  page_run opened_;
  relaxed<std::size_t> locked_;  // bytes at the front of it
  platform::key protection_key_ = platform::default_key;
  std::uint16_t* free_ = nullptr;
  std::size_t free_count_ = 0;
  std::size_t withheld_ = 0;          // behind the free ones
  relaxed<std::uint64_t> unread_;     // a bit for each page that cannot be read,
  relaxed<std::uint64_t> unwritten_;  // or written
  std::size_t record_count_ = 0;      // of slots_ and free_
  enum class held_by : std::uint8_t { nobody, retire, wipe };
  std::atomic<held_by> pages_ = held_by::nobody;
  relaxed<bool> shown_;

  inline static std::atomic<std::size_t> closings_ = 0;
};

inline std::size_t slab::index_of(const void* address) const {
  const std::uint64_t index = quotient_of(offset_of(static_cast<const std::byte*>(address))).index;
  return static_cast<std::size_t>(std::min(index, std::uint64_t{~std::size_t{0}}));
}

}  // namespace lockfast::internal

#endif
