// region_map.h - from an address to the region that holds it, in two steps and without a mutex.
//
//    address:  | outer index | inner index | offset in a unit |      a table of tables of regions, each made when needed
//
// Threads: at() from any thread; set() and clear() under the map's own mutex.
#ifndef LOCKFAST_ALLOCATOR_REGION_MAP_H
#define LOCKFAST_ALLOCATOR_REGION_MAP_H

#include <cstddef>

#include "platform/platform.h"

namespace lockfast::internal {

class region;

class region_map {
 public:
  [[nodiscard]] static region* at(const void* address);

  // Enters a region for each unit that [base, base + size) touches; false, with nothing entered, when there is no memory for
  // a table or the address is beyond what the map covers.
  [[nodiscard]] static bool set(std::byte* base, std::size_t size, region& holder);
  static void clear(std::byte* base, std::size_t size);

  static platform::mutex& exclusion();
};

}  // namespace lockfast::internal

#endif
