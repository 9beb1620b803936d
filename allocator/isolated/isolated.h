// isolated.h - the arena of isolated secrets: each in a span of its own, of exactly the pages that it needs.
//
// Where places come from, and where those of large secrets rest, is the span_heap's; idle small ones are in a list for each page
// count. The arena knows secrets and their life.
//
// Invariants
//   1. No secret is handed out that is not between inaccessible pages, in a place wiped of its last tenant, and locked,
//      unless the policy allows it to be unlocked; then its receipt has the reason.
//   2. A refusal leaves nothing behind: what was opened is wiped, unlocked and closed.
//   3. Order of mutexes: the span_heap's, then the lists by page count.
//
// Threads: everything, from any thread; start() and the functions for a forked child once, alone.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_ISOLATED_H
#define LOCKFAST_ALLOCATOR_ISOLATED_ISOLATED_H

#include <lockfast/lockfast.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "allocator/base/account.h"
#include "allocator/base/allocated.h"
#include "allocator/base/breach.h"
#include "allocator/pages/fork_copy.h"
#include "allocator/base/json_lines.h"
#include "allocator/isolated/sealed_copies.h"
#include "allocator/isolated/sealer.h"
#include "allocator/isolated/span.h"
#include "allocator/isolated/span_heap.h"
#include "allocator/isolated/span_list.h"
#include "allocator/isolated/span_region.h"

namespace lockfast::internal {

class isolated_arena {
 public:
  struct policy {
    page_run::lock_wanted lock;
    platform::fork_policy fork;
    bool trap_freed;  // else recycled without a system call
    // The most pages that rest unused: of each page count an eighth of idle_pages ready and a sixteenth in quarantine; and beyond those
    // of all arenas together spare_pages.
    std::size_t idle_pages;
    std::size_t large_idle_pages;
    breach_signal signal;
    platform::error hide_error;  // why no secret of this arena is to be hidden, or 0
    // From how many maps on, in all arenas, new regions have guard markers; SIZE_MAX where they are not to be had.
    std::size_t marked_from_maps = SIZE_MAX;
    bool quarantine_holds = false;  // at a shortage
    std::size_t spare_pages = 0;
    // By what closed secrets are sealed; null where they are not.
    sealer* rest = nullptr;
  };

  constexpr isolated_arena() = default;

  void start(const policy& chosen);

  // The most that can be asked for, in bytes.
  static constexpr std::size_t max_size = sizeof(void*) == 8 ? (PTRDIFF_MAX >> 23) + 1 : PTRDIFF_MAX / 4;
  static constexpr std::size_t max_alignment = std::size_t{1} << 30;

  // A secret of size bytes, each of them value, at a multiple of alignment (a power of two). Requires no more than the most.
  [[nodiscard]] allocated allocate(std::size_t size, std::size_t alignment, int value);

  // The rest takes a secret that span_region::find_secret found. A span that is not live is a breach where it says so.
  void deallocate(const std::byte* secret, span& at);                                             // breach
  [[nodiscard]] platform::error protect(const std::byte* secret, span& at, platform::access to);  // breach
  [[nodiscard]] platform::error check(const std::byte* secret, span& at);                         // EINVAL, EFAULT if damaged
  [[nodiscard]] platform::error describe(const std::byte* secret, span& at, account by, lockfast_receipt& receipt);  // EINVAL
  [[nodiscard]] allocated reallocate(const std::byte* secret, span& at, std::size_t size);                           // breach

  // How many live secrets are damaged.
  [[nodiscard]] std::size_t audit();
  // Gives idle pages back; how many bytes.
  std::size_t trim(trimming why = trimming::asked);
  void add_to(struct lockfast_statistics& out);
  // The same without a mutex, so that a signal handler may call it: what others change meanwhile may be counted or not.
  void look(struct lockfast_statistics& out) const;
  // How many maps its runs have at this moment.
  [[nodiscard]] std::size_t maps_of_runs() const;
  // The most secrets that were live at once, or more: each page count has its own most, and these are added.
  [[nodiscard]] std::size_t max_used() const;
  // Writes a line for each region. Async-signal-safe.
  void draw(json_lines& out, std::string_view family, region::addresses shown) const;
  // Where something took the locks off: gives idle pages back, and locks those of live secrets again.
  void renew_locks();

  // For a signal handler: wipes every secret; with after_wipe::closed they are absent from then on, false when one would not
  // close. The rest is for those: opens one at an address, false when there is none; closes all such.
  [[nodiscard]] bool wipe_on_signal(platform::after_wipe leaves);
  [[nodiscard]] static bool show_absent(span& at, const void* address);
  void close_absent();
  // Seals a closed secret of this arena's family, the least recently closed one, and gives its pages back: how many bytes, 0 when
  // there is none that can be.
  std::size_t seal_one();

  // In front of a fork, with no mutex held that a thread busy with a span may wait for: copies what a child is to inherit and
  // would not have, for which it waits until those threads are done.
  void copy_for_child();
  void before_fork();
  void after_fork_in_parent();
  // Of every arena, before the first is put in order.
  void reserve_in_child();
  void unlock_in_child();
  void after_fork_in_child();

 private:
  static constexpr std::size_t small_pages = span_heap::small_pages;
  // How many page runs between markers go at once.
  static constexpr std::size_t retired_together = 16;

  struct place {
    span* at;
    bool idle;
    span_list::tally if_put_back = span_list::tally::nothing;  // taken_back: its list counts it as allocated already
  };

  // Whether the caller is busy with a span, and so must not wait for a fork.
  enum class busy_with : std::uint8_t { nothing, span };
  // A new secret's span, busy with the caller; null when it is refused, for want of memory, maps or locks.
  [[nodiscard]] span* place_secret(std::size_t size, std::size_t alignment, int value, busy_with what);
  // Counts a secret whose place no list had ready.
  void count_grown(std::size_t page_count);
  [[nodiscard]] place take_place(std::size_t page_count, bool exact, platform::error& refusal);
  [[nodiscard]] platform::error open(place taken, const span::tenancy& wanted, page_run::lock_wanted lock);
  void put_back(place unopened);
  void keep_idle(span& freed, span_list::tally as);
  // Keeps a span that found no place among the ready ones, where the idle_budget allows it; gives its pages back where it does not.
  void keep_or_retire(span_list& list, span& surplus);
  // Opens a fresh place for a secret and, in the same look at what a sandbox allows, some more for the next ones: the more secrets of
  // this page count live, the more, as far as the idle_budget allows it. A refusal of those is none.
  [[nodiscard]] platform::error open_fresh(span& at, const span::tenancy& wanted, page_run::lock_wanted lock);
  void open_ahead(const span& opened);
  // A place of the regions that are there, busy with the caller; null if all are in use.
  [[nodiscard]] span* take_place_without_pages(std::size_t page_count);
  // Gives back pages of spare spans that nobody needed for a while.
  void retire_unneeded(span_list& list);
  // Frees a closed secret that the system does not open any more, as in a sandbox without mprotect: its canaries can't be read.
  // Hidden pages are given back, and the kernel wipes them. A locked secret could not be wiped: a breach.
  void deallocate_closed(span& at);
  void rest_large(span& freed, span_list::tally as);
  // Counts a free after which the pages do not rest.
  void count_free(const span& freed);
  // Gives the pages of a large secret that is freed, wiped and open back with their region, which closes them.
  void release_wiped(span& large);
  // Gives an idle span's pages back, or keeps them where the system does not take them; how many bytes went back.
  std::size_t retire(span& idle);
  void claim(const std::byte* secret, span& at, const busy_scope& mine) const;
  // Copies a claimed secret that is not sealed to a new place, of a size and at the same access, and leaves the old one open, to be
  // freed; moved is the new place when it is not refused.
  [[nodiscard]] platform::error copy_to_new(const std::byte* secret, span& at, std::size_t size, std::byte*& moved);
  // Locks a span that was opened, where closing it took the lock off; closes it again when the policy does not allow it unlocked.
  [[nodiscard]] platform::error lock_after_closing(span& at) const;
  // Whether a claimed span is whole: EFAULT if not, else the errno that kept it closed.
  [[nodiscard]] platform::error verify(span& at) const;
  // ---- A fork: isolated_fork.cc ----

  // Calls act(span&) for each secret that is not sealed.
  template <class Act>
  void for_each_used(Act act) const;
  void seal_for_child();
  void seal_copy(span& at);
  void copy_hidden_for_child();
  void place_copies_in_child();
  void place_zeros_in_child();
  [[nodiscard]] bool keep_sealed_copy(const sealed_copies::entry& each);
  void seal_zeros_in_child(span_region& in);
  void unmark_unused_in_child(span_region& in);
  // Reserves the address space of the runs again that no secret of the child is in.
  void reserve_unused_in_child(span_region& in);
  // Whether a secret is in it, present or absent; before: the region's canary key at the fork.
  [[nodiscard]] bool settle_in_child(span& at, const canary_key& before);
  void settle_counts_in_child(std::uint64_t live);

  // ---- At rest: isolated_rest.cc ----

  [[nodiscard]] bool seals_now(const span& closing) const {
    return closing.lock_error() != 0 || !policy_.rest->closing_is_plain();
  }
  // Has the key's page taken: from the system, else from a busy span whose tenant is about to be closed.
  void require_key(span& at);
  [[nodiscard]] bool found_key(span& donor);
  // Seals what was closed without a lock before there was a key.
  void seal_unlocked();
  // Closes a claimed span by sealing it, as far as it can be sealed; it is live afterwards.
  [[nodiscard]] platform::error close_by_sealing(const std::byte* secret, span& at, const busy_scope& mine);
  void seal_or_close(span& at, platform::error& refusal);
  [[nodiscard]] platform::error protect_once(const std::byte* secret, span& at, platform::access to);
  [[nodiscard, gnu::cold]] platform::error protect_after_sealing(const std::byte* secret, span& at, platform::access to,
                                                                 platform::error refusal);
  // protect() of a claimed span that is sealed: it is live afterwards.
  [[nodiscard]] platform::error protect_sealed(const std::byte* secret, span& at, platform::access to, const busy_scope& mine);
  // The same of one whose pages are closed; it stays claimed.
  [[nodiscard]] platform::error open_closed(span& at, platform::access to) const;
  [[nodiscard]] platform::error unseal(span& at, platform::access to);
  // Gives a sealed, busy span a writable run.
  [[nodiscard]] platform::error take_run(span& at);
  [[nodiscard]] platform::error open_listed(span& at, const span::tenancy& wanted, page_run::lock_wanted lock,
                                            page_run::stay for_how_long);
  // Opens a span with pages of the least recently closed secrets.
  [[nodiscard]] platform::error open_by_sealing(span& at, const span::tenancy& wanted);
  [[nodiscard]] span* place_by_sealing(std::size_t size, std::size_t alignment, std::size_t page_count, busy_with what);
  [[nodiscard]] span* place_inside_gate(std::size_t size, std::size_t alignment, std::size_t page_count);
  // Seals the tenant of a closed, hidden run and gives the run to another span; false when that is refused. Both spans are busy.
  [[nodiscard]] bool hand_over(span& donor, span& to, const span::tenancy& wanted) const;
  // Has a busy span with a closed tenant sealed, in a run that is writable and wiped; false when that is refused.
  [[nodiscard]] bool seal_in_place(span& donor) const;
  // Takes the writable, wiped run from a sealed, busy span; false when the system does not take it back, and it keeps it.
  bool vacate(span& sealed) const;
  // The same, of pages that are taken at once.
  bool give_up_run(span& sealed) const;
  // Has some more secrets sealed, for openings to come, while one look at what a sandbox allows stands for all.
  void seal_ahead(std::size_t run_size);
  void deallocate_sealed(span& at);
  [[nodiscard]] allocated reallocate_sealed(const std::byte* secret, span& at, std::size_t size);
  [[nodiscard]] platform::error rest_error(const span& at) const;
  [[nodiscard]] static bool is_large(const span& at) { return span_heap::is_large(at.home); }

  policy policy_ = {};
  std::size_t page_ = 0;  // bytes
  span_list lists_[small_pages];
  span_heap heap_;
  fork_copy copy_;
  sealed_copies sealed_;
  std::atomic<std::size_t> other_frees_ = 0;  // beside those that the lists count
  std::atomic<std::size_t> other_allocations_ = 0;
  std::atomic<std::size_t> large_used_ = 0;
  std::atomic<std::size_t> max_large_used_ = 0;
};

}  // namespace lockfast::internal

#endif
