// region.h - reserved address space of ours, and who it belongs to.
//
// A region begins at a multiple of region_unit, so that the unit of an address names its region. Where the system has no room for
// that, a region is smaller and begins at any page; the units that it lies in are shared (shared_unit.h). There are two kinds: one
// is cut into places for spans, the other into places for slabs; the classes of those names say how.
//
// Invariants
//   1. The first page of a region and its last are inaccessible for as long as it lives.
//   2. The map holds a region from before its first place is used until after its last is given up.
//   3. A region of slabs that is a unit's entry in the map begins that unit, or has one place.
//
// Threads: holding() and the queries from any thread; the rest belongs to whoever holds the mutex of the region's owner.
#ifndef LOCKFAST_ALLOCATOR_PAGES_REGION_H
#define LOCKFAST_ALLOCATOR_PAGES_REGION_H

#include <cstddef>
#include <cstdint>

#include "allocator/pages/region_map.h"
#include "allocator/base/relaxed.h"
#include "platform/platform.h"

namespace lockfast::internal {

class alignas(64) region {
 public:
  enum class kind : std::uint8_t { spans, slabs, shared_unit };

  // Whether a report is to say where regions are.
  enum class addresses : std::uint8_t { left_out, shown };

  // How much address space a region is to have, the largest first: a unit, at a multiple of it, for which the system must have two;
  // a part of one, at any page; at last what a single place needs, which is 0 here.
  static constexpr std::size_t extents[] = {region_unit, std::size_t{64} << 10, 0};

  // The region that the address lies in; null if none.
  [[nodiscard]] static region* holding(const void* address);

  [[nodiscard]] kind holds() const { return holds_; }
  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return base() == nullptr; }
  // What a forked child is to find in it.
  [[nodiscard]] platform::fork_policy policy() const { return policy_; }
  [[nodiscard]] platform::error dump_error() const { return dump_error_; }
  [[nodiscard]] platform::error fork_error() const { return fork_error_; }
  // Writes down which advice was refused when some of its pages were reserved again.
  void note_advice(const platform::reservation& again) {
    if (again.dump != 0) dump_error_ = again.dump;
    if (again.fork != 0) fork_error_ = again.fork;
  }

 protected:
  constexpr explicit region(kind held) : holds_(held) {}

  // Gives address space to an empty record and enters it in the map; false when that is refused: it is released, and the record is
  // empty.
  [[nodiscard]] bool take(const platform::reservation& space, std::size_t size, region_map::place where,
                          platform::fork_policy policy);
  // Gives the address space back: the record is empty.
  void release();
  // In a forked child whose parent's region was fork_policy::absent: inaccessible address space again, at the same place, also in
  // place of the copies that a system gave which had refused the policy.
  // False when the system refuses, and then the record is empty.
  [[nodiscard]] bool reserve_again();

 private:
  // The region in a shared unit that the address lies in; null if none, and where the unit is not shared.
  [[nodiscard, gnu::cold]] static region* holding_in_shared(region& unit, const void* address);

  relaxed<std::byte*> base_;
  relaxed<std::size_t> size_;
  kind holds_;
  platform::fork_policy policy_ = platform::fork_policy::absent;
  relaxed<platform::error> dump_error_;
  relaxed<platform::error> fork_error_;
};

inline region* region::holding(const void* address) {
  region* const in = region_map::at(address);
  // A unit may hold memory of others behind the region's end. An empty record's base is null and its size 0, as a shared unit's.
  if (in == nullptr) return nullptr;
  const bool within = static_cast<std::size_t>(static_cast<const std::byte*>(address) - in->base()) < in->size();
  return within ? in : holding_in_shared(*in, address);
}

}  // namespace lockfast::internal

#endif
