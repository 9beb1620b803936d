// fork_copy.h - the copy of hidden pages that a forked child gets.
//
// Hidden pages would be shared with the child, so they are left out of it, and where the policy is to inherit, a copy is made
// before the fork: one hidden map, with a table of what it holds, from which the child moves each run to its place. The parent
// drops it as soon as the fork is done. Where hidden pages are short, ordinary ones take their place, locked if they can be.
//
//    | table of entries | run | run | run ... |
//
// Threads: between the two halves of one fork, with the mutexes of its owner held.
#ifndef LOCKFAST_ALLOCATOR_PAGES_FORK_COPY_H
#define LOCKFAST_ALLOCATOR_PAGES_FORK_COPY_H

#include <cstddef>
#include <cstdint>

#include "allocator/base/relaxed.h"
#include "platform/platform.h"

namespace lockfast::internal {

class fork_copy {
 public:
  constexpr fork_copy() = default;

  struct entry {
    void* record;  // of the span or slab
    std::byte* run;
    std::size_t size;     // whole pages
    std::size_t offset;   // in the copy
    std::uint64_t stamp;  // what its owner told apart tenants by
  };

  // Makes room for so many runs of so many bytes in all; without it nothing is copied, and the child finds no contents.
  void begin(std::size_t run_count, std::size_t bytes);
  // Copies a readable run, as far as there is room, while others may write to it, or makes room for as much
  // when run is null; where it is in the copy, or null.
  std::byte* add(void* record, std::byte* run, std::size_t size, std::uint64_t stamp);

  // In the child: calls place(entry, content), content being null where a run can only be had empty; then drops the rest.
  template <class Place>
  void for_each(Place place) const {
    const auto* const table = static_cast<const entry*>(static_cast<const void*>(base_));
    for (std::size_t at = 0; at < count_; ++at) place(table[at], base_ + table[at].offset);
  }
  // How many runs there are, and of how many bytes.
  struct extent {
    std::size_t run_count;
    std::size_t bytes;

    void add(std::size_t run_size) {
      ++run_count;
      bytes += run_size;
    }
  };
  // Makes room for what count() says and has copy() add each run. Where other threads have opened pages since they were counted, the
  // room is too small: then both are called again, with room for a part more each time.
  template <class Count, class Copy>
  void make(Count count, Copy copy) {
    constexpr std::size_t max_tries = 16;
    const std::size_t page = platform::page_size();
    const auto with_surplus = [](std::size_t counted, std::size_t eighths) {
      return counted + counted * eighths / 8 + eighths;
    };
    for (std::size_t surplus = 0; surplus < max_tries; ++surplus) {
      if (surplus != 0) end();
      const extent counted = count();
      begin(with_surplus(counted.run_count, surplus), with_surplus(counted.bytes / page, surplus) * page);
      copy();
      if (!short_of_room_) return;
    }
  }
  // Whether the copy is of hidden pages, which the child moves, or of ordinary ones, which it copies again.
  [[nodiscard]] bool hidden() const { return hidden_; }
  // In either: unmaps what is left.
  void end();
  // For a signal handler, in any thread: overwrites the contents that there are of a copy, not the entries, which the child reads.
  void wipe_on_signal();
  // Whether that was done: then the contents are of no use.
  [[nodiscard]] bool wiped() const { return wiped_; }

 private:
  relaxed<std::byte*> base_ = nullptr;
  relaxed<std::size_t> size_ = 0;
  relaxed<std::size_t> contents_ = 0;  // offset of the first run
  std::size_t count_ = 0;
  std::size_t room_ = 0;  // entries
  std::size_t next_ = 0;  // offset of the next run
  bool hidden_ = false;
  bool locked_ = false;
  bool short_of_room_ = false;
  relaxed<bool> wiped_;
};

}  // namespace lockfast::internal

#endif
