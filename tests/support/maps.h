// maps.h - a process that has used up the maps that the system allows it.
#ifndef LOCKFAST_TESTS_SUPPORT_MAPS_H
#define LOCKFAST_TESTS_SUPPORT_MAPS_H

#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>

#include <cstddef>

#include "support/child.h"
#include "support/page_state.h"
#include "support/sanitized.h"

// Uses up the maps of this process, but for so many; skips the test where they have no limit.
inline void use_up_maps(std::size_t left) {
  if (is_emulated()) skip("an emulator has maps beside those that it tells of");
  if (under_tsan) skip("the thread sanitizer takes and gives up maps at any moment");
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  if (now.map_limit > 1'000'000 || now.map_limit < now.maps_used + left) skip("no limit on maps to come to");
  const std::size_t wanted = now.map_limit - now.maps_used - left;
  // Every other page with another access is a map of its own.
  auto* const pages = static_cast<char*>(mmap(nullptr, wanted * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (pages == MAP_FAILED) skip("no room for maps");
  for (std::size_t page = 1; page < wanted; page += 2) {
    prove(mprotect(pages + page * page_size(), page_size(), PROT_READ) == 0, "a map");
  }
}

// The last of them as well, which mmap alone gets: the kernel lets it make one map more than the limit (mm/mmap.c compares with ">"),
// and wants for two before it divides one.
inline void use_up_last_map() {
  bool is_odd = false;
  do {
    is_odd = !is_odd;
  } while (mmap(nullptr, page_size(), is_odd ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

inline void check_clean_while_short_of_maps(const ending& end) {
  CAPTURE(end.text);
  CAPTURE(end.signal);
  // A sanitizer's own run-time library needs maps, to give memory back too, and ends the process without them.
  if (end.skipped() || end.said("Sanitizer failed to") || end.said("Sanitizer: out of memory")) {
    MESSAGE("skipped: " << end.text);
  } else {
    CHECK(end.clean());
  }
}

#endif
