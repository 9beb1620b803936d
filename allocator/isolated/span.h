// span.h - the out-of-line record of one isolated secret's pages, and what is done to those pages.
//
//    +---------+-------+-----------------------------------------+---------+
//    |  guard  |  ...  |  0 ... 0 | canary | secret | gap canary |  guard  |
//    +---------+-------+-----------------------------------------+---------+
//              ^ place  ^ run()   (the run is open; the pages in front of it, if any, are as inaccessible as a guard)
//
// The gap is empty unless an alignment was asked for that does not divide the size.
//
// Invariants
//   1. The page before run() and the page behind it are inaccessible from the first open() to the last retire().
//   2. A run is hidden or locked, where the system allows it, before a secret is written to it (page_run.h), and wiped before it
//      is given back.
//   3. state: fresh --> busy <--> live, busy <--> idle --> fresh, and absent --> busy. Who sets busy owns the span until it
//      sets another state: that is the span's mutex, and what finds a double free.
//   4. An idle run is inaccessible and zero in every byte under freed=trap; under freed=recycle it is writable, and zero in
//      every byte that its tenants and their canaries had; but inaccessible still where the last one was freed while it was sealed.
//   5. A sealed secret is in its record alone: it has no pages, or inaccessible ones that are wiped and held in RAM.
//
// Threads: state and the queries are for all; the rest belongs to whoever set busy, or holds the mutex of the span's list.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SPAN_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SPAN_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/base/backoff.h"
#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/base/canary.h"
#include "allocator/base/relaxed.h"
#include "allocator/isolated/rest_key.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/isolated/sealed_record.h"
#include "allocator/pages/page_run.h"
#include "platform/access_checker.h"
#include "platform/platform.h"

namespace lockfast::internal {

class span_region;

// One cache line each: a change of access reads a dozen lines between two system calls, and this is two fewer.
class alignas(64) span {
 public:
  explicit span(span_region& owner) : home(owner) {}

  enum class state : std::uint8_t { fresh, idle, busy, live, absent };

  // What a tenant is to get: where its bytes begin, and the size of the pages that hold them, its canary and its gap.
  struct tenancy {
    std::byte* address;
    std::size_t size;
    std::size_t gap;
    std::size_t run_size;
  };

  // The tenancy whose gap ends at `end`, behind the last byte of the span's place, or in an earlier page where a larger
  // alignment moves it there.
  [[nodiscard]] static tenancy fit(std::byte* end, std::size_t size, std::size_t alignment, std::size_t page);

  // ---- Exclusion ----

  // Waits until nobody is busy with it; true when it is live, and now busy with the caller. A breach when it is busy with a call
  // of this thread that a signal handler has interrupted.
  [[nodiscard]] bool claim_live(const busy_scope& mine);
  // The same while hold_back() holds, without waiting for ever: whoever is busy may be what the caller has interrupted.
  [[nodiscard]] bool claim_for_copy();
  // Has claim_live() wait, in every thread and for every span, until it is let go: a thread that opens and closes a span without
  // a pause would hardly leave it to a fork that is to copy it.
  static void hold_back(bool held) { held_back_ = held; }
  // claim_live() without waiting; false while hold_back() holds, too.
  [[nodiscard]] bool claim_live_at_once() {
    state seen = state::live;
    return !held_back_ &&
           state_.compare_exchange_strong(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed);
  }
  // True when it was absent, and is now busy with the caller.
  [[nodiscard]] bool claim_absent() {
    state seen = state::absent;
    // Read first: the exchange costs what a whole look-up does, and hardly a span is absent.
    return current_state() == seen &&
           state_.compare_exchange_strong(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void set(state entered) { state_.store(entered, std::memory_order_release); }
  [[nodiscard]] state current_state() const { return state_.load(std::memory_order_acquire); }

  // ---- Queries ----

  // Null while it has none.
  [[nodiscard]] std::byte* run() const { return run_.begin(); }
  [[nodiscard]] std::size_t run_size() const { return run_.size(); }
  [[nodiscard]] std::byte* address() const { return address_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] platform::access current_access() const { return access_; }
  // Whether it is closed but for a call that verifies it; and the access as the program has it.
  [[nodiscard]] bool shown() const { return content_ == content::shown; }
  [[nodiscard]] platform::access access_of_program() const { return shown() ? platform::access::none : current_access(); }
  [[nodiscard]] platform::error lock_error() const { return run_.lock_error(); }
  // The same, and ECANCELED where the system says that something took the lock off.
  [[nodiscard]] platform::error lock_error_now() const;
  // Why the run is not hidden; 0 when it is.
  [[nodiscard]] platform::error hide_error() const { return run_.hide_error(); }
  [[nodiscard]] bool hidden() const { return run_.hidden(); }
  [[nodiscard]] std::uint32_t generation() const { return generation_; }
  // Whether a secret is in it: from occupy() until it is wiped.
  [[nodiscard]] bool has_tenant() const { return content_ >= content::plain; }
  // Whether that secret is in its record.
  [[nodiscard]] bool sealed() const { return content_ == content::sealed; }
  // The errno that kept the tenant's pages from being locked while they were accessible, now or at some time before; or 0.
  [[nodiscard]] platform::error tenant_lock_error() const { return lock_error() != 0 ? lock_error() : error_before(); }
  // The record of a sealed tenant; null where that is zeros.
  [[nodiscard]] sealed_record* record() const { return reinterpret_cast<sealed_record*>(static_cast<std::uintptr_t>(link_)); }
  // When it was closed last, in ticks, of a secret that is not sealed.
  [[nodiscard]] std::uintptr_t closed_at() const { return link_; }
  // Whether the family's closed_list has it.
  [[nodiscard]] bool listed() const { return listed_; }
  void set_listed(bool is) { listed_ = is; }
  // Where the tenant's bytes and pages are.
  [[nodiscard]] tenancy tenant_place(std::size_t page) const;

  // ---- Pages; each refusal leaves the span as it was ----

  // Opens the tenancy's pages for writing: page_run::open, or what does the same between markers.
  [[nodiscard]] platform::error open(const tenancy& wanted, page_run::lock_wanted lock, platform::error hide_error,
                                     page_run::stay for_how_long);

  // Takes all pages of the place for a tenant that is to come, hidden where hide_error is 0, else locked: an idle run, inaccessible
  // where it is to trap. Requires a region without markers.
  [[nodiscard]] platform::error open_ahead(std::size_t page, platform::error hide_error, bool traps);

  // Makes an idle run accessible for writing again.
  [[nodiscard]] platform::error reopen();
  // Asks again for the lock that an open, idle run was refused, if it was.
  void lock_if_unlocked();
  // Locks the run again where something took the lock off; a refusal stays in lock_error().
  void renew_lock();
  // Whether every byte that an open, idle run's last tenant had is still zero; all of it is permitted from then on.
  [[nodiscard]] bool untouched() const;

  // Takes a tenant in, in an open run: new generation, canaries, no contents yet.
  void occupy(const tenancy& wanted, const canary_key& key);

  // Changes the access of the run.
  [[nodiscard]] platform::error protect(platform::access to);
  // Opens a closed run to be read, and closes it; a child that is forked in between has it closed.
  [[nodiscard]] platform::error show();
  [[nodiscard]] platform::error hide_again();
  // Has no change of the run want for maps from now on, until it is given back.
  [[nodiscard]] platform::error set_apart();

  // Whether the canaries are whole, in the run or in another map of it; requires that this is readable.
  [[nodiscard]] bool canaries_intact(const canary_key& key) const;
  [[nodiscard]] bool canaries_intact_in(const std::byte* map, const canary_key& key) const;
  // The same, and whether the bytes in front of the canary are zero.
  [[nodiscard]] bool intact(const canary_key& key) const;

  // Has a checker report what the program touches of the run (platform/access_checker.h): what is not the secret, or all of it.
  void forbid_beside() const;
  void forbid_run() const { platform::forbid(run(), run_size()); }

  // Wipes what the tenant and its canaries hold, or the whole run, stray writes included; require a writable run.
  void wipe_tenant();
  void wipe_run();
  // Wipes a run that the system does not open. ENOTSUP for a hidden one, which is reached by its map alone.
  [[nodiscard]] platform::error wipe_closed_run();
  void leave() { content_ = content::none; }  // the tenant goes, and its bytes stay

  // ---- At rest ----

  // Writes down that a secret was closed now, by a clock of all closings, which is never 0.
  void tick() { link_ = advance_clock(); }
  static std::uintptr_t advance_clock() { return closing_clock_.fetch_add(1, std::memory_order_relaxed) + 1; }
  [[nodiscard]] static std::uintptr_t closing_clock() { return closing_clock_.load(std::memory_order_relaxed); }
  // Writes down that the tenant is open without the lock.
  void remember_lock_error() {
    if (lock_error() != 0) gap_and_error_ = static_cast<std::uint32_t>(lock_error()) << 16 | static_cast<std::uint32_t>(gap());
  }

  // Has a tenant's record in place of its bytes, and wipes its run. Requires whole canaries, in a writable run, or another map of it
  // that is. Refusals: ENOMEM, and those of rest_key::seal.
  [[nodiscard]] platform::error seal(rest_key& key) { return seal_in(run(), key); }
  [[nodiscard]] platform::error seal_in(std::byte* map, rest_key& key);
  // For a forked child: a record of the tenant, which stays in its run; null when that is refused. Requires a writable run and whole
  // canaries, which are those of a new generation then.
  [[nodiscard]] sealed_record* seal_copy(rest_key& key, const canary_key& beside);
  void become_sealed(sealed_record& in);  // of a run that is wiped, or that a forked child gives up
  // The same with the key's first page made of this run, which leaves the span. Requires rest_key::founding_size zeros in front of
  // the canary.
  [[nodiscard]] platform::error found_key(rest_key& key);
  // Writes a sealed tenant's bytes and canaries into its run, which is writable and zero; it stays sealed until drop_record().
  // opened, or what is wrong with the record: then nothing was written. verify_record: the verdict alone.
  [[nodiscard]] rest_key::outcome write_unsealed(const rest_key& key, const canary_key& beside);
  [[nodiscard]] rest_key::outcome verify_record(const rest_key& key) const;
  // Gives the record up: the tenant is in its run, or gone.
  void drop_record();
  // Frees a sealed tenant, whose run, if it has one, is wiped.
  void drop_sealed_tenant() {
    drop_record();
    content_ = content::none;
  }
  // Wipes what write_unsealed() wrote.
  void wipe_sealed_run() { wipe(run(), run_size()); }

  // Seals a donor's tenant, unless it is, and takes its closed, hidden run: for a moment the run is in both places, and counts twice.
  // Requires a run of the wanted size, and a region without markers. A refusal leaves the run with the donor, which may be sealed.
  [[nodiscard]] platform::error take_run_of(span& donor, const tenancy& wanted, rest_key& key, breach_signal signal);
  // Gives back the wiped run of a sealed tenant. False when the system does not take it; then nothing has changed. While there are
  // plenty of maps the pages stay one of their own, which costs less than to join it to what lies beside it and to divide that again.
  [[nodiscard]] bool vacate();
  [[nodiscard]] bool left_map() const { return run_.left_map(); }
  // The address space of the place is gone.
  void forget_map() {
    if (left_map()) forget_run();
  }

  // Unlocks an idle run and gives its pages back: the span is as fresh as it was before open(). False when the system does
  // not take them back, and then the run is idle as before, and wiped. goes: the pages are wiped, and their region is released as a
  // whole at once, which closes them.
  enum class region_of_run : std::uint8_t { stays, goes };
  [[nodiscard]] bool retire(region_of_run after = region_of_run::stays);

  // In a forked child, where no other thread runs. fill_gap: has an empty, writable run where a hidden one stayed with the parent;
  // the access that is to be stays on record; false if refused. settle: makes a tenant's run the child's own, locked, with canaries
  // of the renewed key; empty, its run wiped, without a tenant; lost without pages. forget: the run is gone, or holds nothing.
  [[nodiscard]] bool fill_gap_in_child();
  // In a forked child, of a run whose contents are those of an earlier tenant: wiped, with this one's canaries.
  void renew_in_child(const canary_key& key);
  enum class settled : std::uint8_t { kept, empty, lost };
  [[nodiscard]] settled settle_in_child(const canary_key& key, const canary_key& renewed, platform::fork_policy policy);
  void forget_in_child(platform::fork_policy policy);
  // In a forked child: a sealed tenant's run is gone, it stays in its record; under fork_policy::wipe it opens as zeros instead.
  void keep_sealed_in_child(platform::fork_policy policy);
  // In a forked child, under fork_policy::wipe: the tenant opens as zeros, in pages that it takes then.
  void become_zeros_in_child();
  void lose_run_in_child() { forget_run(); }  // its address space was reserved again

  // Wipes a tenant's secret, whatever its access, and leaves canaries as they were; the access too, or the secret is absent from
  // then on, its run closed: false when either is refused. For a signal handler: a span that stays busy, perhaps with the very
  // thread that the signal interrupted, is opened and wiped all the same.
  [[nodiscard]] bool wipe_on_signal(platform::after_wipe leaves);
  // Opens the run of a secret that is absent since then; false when it is open already, or has none. And closes it again.
  [[nodiscard]] bool show_absent();
  void close_absent();

  // In its list's chain of fresh spans.
  [[nodiscard]] span* next() const { return reinterpret_cast<span*>(static_cast<std::uintptr_t>(link_)); }
  void set_next(span* one) { link_ = reinterpret_cast<std::uintptr_t>(one); }

  span_region& home;  // the region that its place is in

 private:
  // What is in the run, or was. wiping: the tenant is gone, its bytes may not be. shown: plain, between show() and hide_again().
  enum class content : std::uint8_t { none, wiping, plain, shown, sealed };

  [[nodiscard]] std::size_t gap() const { return gap_and_error_ & 0xffff; }
  [[nodiscard]] platform::error error_before() const { return static_cast<platform::error>(gap_and_error_ >> 16); }

  // How many bytes of the run are locked: all or none.
  [[nodiscard]] std::size_t locked_bytes() const { return lock_error() == 0 ? run_size() : 0; }
  [[nodiscard]] platform::error open_between_markers(std::byte* begin, std::size_t size, page_run::lock_wanted lock,
                                                     platform::error hide_error);
  // Puts the markers back on a wiped run, which is given back with that.
  [[nodiscard]] platform::error mark_again();
  // Has inaccessible pages, or markers, take the place of the run's, which are wiped or in another place, too.
  [[nodiscard]] platform::error replace_run();
  void note_opened(platform::access now, bool had_map);
  [[nodiscard]] bool canaries_match(const canary_key& key) const;
  [[nodiscard, gnu::cold, gnu::noinline]] bool canaries_match_unreported(const canary_key& key) const;
  void write_canaries(const canary_key& key);
  // Tells a checker of a new tenant.
  [[gnu::cold, gnu::noinline]] void announce() const;
  void forget_run(page_run::map of_pages = page_run::map::joined);
  void give_up_run_in_child(platform::fork_policy policy);
  [[nodiscard]] rest_key::bond bond() const {
    return {reinterpret_cast<std::uintptr_t>(static_cast<std::byte*>(address_)), size_, generation_};
  }
  // The canary's bytes, the secret's and the gap's, which lie in one piece.
  [[nodiscard]] std::byte* tenant() const { return address_ - canary::size; }
  [[nodiscard]] std::size_t tenant_size() const { return canary::size + size_ + gap(); }

  // By its state: the next fresh span, when it was closed, or the record of a sealed tenant, null where that is zeros.
  relaxed<std::uintptr_t> link_;
  [[no_unique_address]] page_run run_;
  relaxed<content> content_;
  relaxed<bool> listed_;
  relaxed<platform::access> access_;
  std::atomic<state> state_ = state::fresh;
  relaxed<std::byte*> address_;
  relaxed<std::size_t> size_;
  // Below, the gap, which is less than a page; above, the errno that kept this tenant's pages from being locked before. One word,
  // so that admitting a tenant clears it.
  relaxed<std::uint32_t> gap_and_error_;
  std::uint32_t generation_ = 0;

  inline static relaxed<bool> held_back_;
  inline static constinit std::atomic<std::uintptr_t> closing_clock_ = 1;
};
static_assert(sizeof(void*) != 8 || sizeof(span) == 64);

// ---- What a warm pair of allocation and release runs through ----

inline span::tenancy span::fit(std::byte* end, std::size_t size, std::size_t alignment, std::size_t page) {
  const auto down = [](std::byte* address, std::size_t multiple) {
    return address - (reinterpret_cast<std::uintptr_t>(address) & (multiple - 1));
  };
  std::byte* const address = down(end - size, alignment);
  std::byte* const run_begin = down(address - canary::size, page);
  std::byte* const run_end = down(address + size + page - 1, page);
  return {.address = address,
          .size = size,
          .gap = static_cast<std::size_t>(run_end - (address + size)),
          .run_size = static_cast<std::size_t>(run_end - run_begin)};
}

inline bool span::claim_live(const busy_scope& mine) {
  for (backoff turns;;) {
    while (held_back_) turns.wait();
    state seen = state::live;
    // Alone, a load and a store do what the atomic exchange is for, at a tenth of its cost.
    if (platform::single_threaded() && current_state() == state::live) {
      set(state::busy);
      return true;
    }
    if (state_.compare_exchange_weak(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    if (seen != state::live && seen != state::busy) return false;
    if (seen != state::busy) continue;
    if (mine.outer() == this) end_reentered();
    turns.wait();
  }
}

inline platform::error span::protect(platform::access to) {
  const platform::access before = access_;
  if (before == to) return 0;
  // Written down first: a signal handler that wipes in between leaves the pages as this call is to leave them.
  access_ = to;
  const auto refusal = platform::protect(run(), run_size(), to);
  if (refusal != 0) access_ = before;
  if (refusal == 0 && to == platform::access::none && lock_error() == 0 && !hidden()) {
    run_.set_lock_error(platform::closed_lock_error());
  }
  return refusal;
}

inline void span::occupy(const tenancy& wanted, const canary_key& key) {
  address_ = wanted.address;
  size_ = wanted.size;
  gap_and_error_ = static_cast<std::uint32_t>(wanted.gap);
  const canary written(key, wanted.address, ++generation_);
  written.write(wanted.address - canary::size);
  if (wanted.gap != 0) written.write_gap(wanted.address + wanted.size, wanted.gap);
  content_ = content::plain;
  if (platform::has_access_checker()) [[unlikely]]
    announce();
}

inline platform::error span::reopen() {
  platform::permit(run(), run_size());
  return protect(platform::access::read_write);
}

inline void span::lock_if_unlocked() {
  if (lock_error() != 0) run_.set_lock_error(platform::lock(run(), run_size()));
}

inline bool span::untouched() const {
  platform::permit(run(), run_size());
  return address_ == nullptr || all_zero(tenant(), tenant_size());
}

inline bool span::canaries_intact(const canary_key& key) const {
  if (platform::has_access_checker()) [[unlikely]]
    return canaries_match_unreported(key);
  return canaries_match(key);
}

inline bool span::canaries_match(const canary_key& key) const {
  const canary expected(key, address_, generation_);
  return expected.matches(tenant()) && (gap() == 0 || expected.matches_gap(address_ + size_, gap()));
}

inline void span::wipe_tenant() {
  platform::permit(run(), run_size());
  content_ = content::wiping;
  wipe(tenant(), tenant_size());
  content_ = content::none;
}

inline void span::wipe_run() {
  platform::permit(run(), run_size());
  content_ = content::wiping;
  wipe(run(), run_size());
  content_ = content::none;
}

}  // namespace lockfast::internal

#endif
