// closed_list.h - the spans of a family that have pages, and which of them gives its pages up next.
//
// A span is listed when it gets pages. Nothing is done to the list when a secret is opened or closed: closing writes a tick of a
// clock into the span, and when pages are wanted, one walk over the list finds those that were closed first, which serve the next
// requests too, as far as they have not been opened since.
//
// Invariant: every span with pages is listed once, but for one that somebody is busy with.
//
// Threads: everything, from any thread; a mutex, under which no system call is made but for the list's own pages.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_CLOSED_LIST_H
#define LOCKFAST_ALLOCATOR_ISOLATED_CLOSED_LIST_H

#include <cstddef>
#include <cstdint>

#include "allocator/isolated/span.h"
#include "platform/platform.h"

namespace lockfast::internal {

class closed_list {
 public:
  constexpr closed_list() = default;

  // Lists a span that has pages, unless it is.
  void enlist(span& opened);

  // A span that rests without access and has pages that are held in RAM, busy with the caller: one that is sealed already, else the
  // least recently closed one. run_size is what its pages are to come to, or any_size. Null when there is none.
  static constexpr std::size_t any_size = 0;
  [[nodiscard]] span* take(std::size_t run_size);

  // The same of one that is closed, and not sealed, in pages that are not held in RAM.
  [[nodiscard]] span* take_unlocked();

  // In a forked child.
  void reset_in_child() {
    mutex_.reset_in_child();
    candidate_count_ = 0;
  }

 private:
  static constexpr std::size_t max_candidates = 256;
  static constexpr std::size_t block_spans = 510;

  struct block {
    block* next;
    std::size_t count;
    span* spans[block_spans];
  };
  struct candidate {
    span* at;
    std::uintptr_t tick;
  };

  // Whether a live span may be taken, for certain only while the caller is busy with it.
  [[nodiscard]] static bool eligible(const span& one, std::size_t run_size);
  void walk(std::size_t run_size);
  [[nodiscard]] span* take_candidate(std::size_t run_size);

  platform::mutex mutex_;
  block* first_ = nullptr;
  candidate candidates_[max_candidates] = {};  // the last one was closed first
  std::size_t candidate_count_ = 0;
  std::size_t candidate_size_ = any_size;
  bool some_were_busy_ = false;  // when the list was walked last
  // When the last walk that found nothing began, and for which size: until something is closed, the next would find nothing either.
  std::uintptr_t fruitless_at_ = 0;
  std::size_t fruitless_size_ = any_size;
};

}  // namespace lockfast::internal

#endif
