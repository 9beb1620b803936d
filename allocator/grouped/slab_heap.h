// slab_heap.h - a family's address space for slabs: where a list's new slabs come from and its emptied ones go.
//
// Small slots come in places of 64 KiB, larger ones in places of 256 KiB, so that a slab holds a dozen at least; where pages
// are larger than 4 KiB the places grow with them. A slot of more than size_class::max_capacity has a region to itself, whose
// address space rests for a while when it is empty: the next such secret is not to have the address of the last.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SLAB_HEAP_H
#define LOCKFAST_ALLOCATOR_GROUPED_SLAB_HEAP_H

#include <cstddef>

#include "allocator/base/scoped_lock.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "allocator/pages/region_stock.h"
#include "platform/platform.h"

namespace lockfast::internal {

class slab_heap {
 public:
  constexpr slab_heap() = default;

  void start(platform::fork_policy policy) { policy_ = policy; }

  // A slab cut for slots of a capacity, all of it closed, that belongs to `owner` from now on; null when it is refused.
  [[nodiscard]] slab* take(std::size_t capacity, std::size_t alignment, slab_bin& owner);
  // Takes back a closed slab.
  void put(slab& closed);

  // Releases the regions of which nothing is in use, those that rest too, or not; how many bytes of address space those have.
  enum class rest_of_singles : unsigned char { ends, stays };
  std::size_t release_vacant_regions(rest_of_singles of_resting);

  // Calls act() while no region is taken or released.
  template <class Do>
  void while_still(Do act) {
    const scoped_lock held(stock_.mutex());
    act();
  }
  // Calls act(slab&) for each slab, for whoever is alone, only looks, or owns what act changes. Others may take and put slabs
  // meanwhile.
  template <class Do>
  void for_each(Do act) const {
    stock_.for_each([&](const slab_region& one) {
      for (slab* at = one.begin(); at < one.end(); ++at) act(*at);
    });
  }

  // Calls act(const slab_region&) for each region.
  template <class Do>
  void for_each_region(Do act) const {
    stock_.for_each([&](const slab_region& one) {
      if (!one.empty()) act(one);
    });
  }

  [[nodiscard]] std::size_t bytes_reserved() const { return stock_.bytes_reserved(); }

  // Growth is not half done while a process forks.
  void before_fork() { lock_over_fork(stock_.mutex()); }
  void after_fork_in_parent() { unlock_after_fork(stock_.mutex()); }
  // In a forked child, where the policy left the pages in the parent: their address space is reserved again. A region for which that
  // is refused is gone, and its secrets' addresses are foreign.
  void reserve_in_child() {
    if (policy_ != platform::fork_policy::absent) return;
    stock_.for_each([](slab_region& one) {
      if (!one.empty()) one.reserve_in_child();
    });
  }
  // In a forked child: calls settle(slab&) for each slab that is somebody's or has open pages; those of which it says false are
  // closed.
  template <class Settle>
  void sort_in_child(Settle settle) {
    for (slab*& chain : closed_) chain = nullptr;
    resting_count_ = 0;
    stock_.for_each([&](slab_region& one) {
      if (one.empty()) return;
      one.taken_count = 0;
      for (slab* at = one.begin(); at < one.end(); ++at) {
        if (settle(*at)) {
          ++one.taken_count;
        } else {
          close_in_child(*at);
        }
      }
    });
  }

 private:
  enum kind : unsigned char { small, medium, single, kind_count };

  // How many regions of single slabs rest, and of how many bytes each at most.
  static constexpr std::size_t max_resting = 4;
  static constexpr std::size_t max_resting_size = std::size_t{16} << 20;

  [[nodiscard]] static kind kind_of(std::size_t capacity);
  [[nodiscard]] static std::size_t place_size_of(kind which, std::size_t capacity);
  [[nodiscard]] slab* take_place(kind which, std::size_t capacity);
  [[nodiscard]] slab* take_closed(kind which, std::size_t capacity);
  // A region with places for slots of a capacity, of the largest size that the system has room for; null when it has none.
  [[nodiscard]] slab_region* reserve(kind which, std::size_t capacity);
  void rest(slab_region& emptied);
  void end_oldest_rest();
  void close_in_child(slab& unused);

  platform::fork_policy policy_ = platform::fork_policy::absent;
  region_stock<slab_region, kind_count> stock_;
  slab* closed_[kind_count] = {};
  slab_region* resting_[max_resting] = {};  // of single slabs, oldest first
  std::size_t resting_count_ = 0;
};

}  // namespace lockfast::internal

#endif
