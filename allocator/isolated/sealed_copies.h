// sealed_copies.h - what a forked child gets of closed secrets: a record of each, sealed before the fork.
//
//    | entry | entry | entry ...                 the table, in pages of its own
//        |       |
//     record  record                             ordinary memory, which fork copies
//
// A page costs both processes more than the cipher does: the pages of such a secret stay with the parent, and the child takes one
// when it opens the secret. The parent gives the records back after the fork; in the child each one is its span's, or is given back.
//
// Threads: between the two halves of one fork, by the thread that forks.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SEALED_COPIES_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SEALED_COPIES_H

#include <cstddef>
#include <cstdint>

#include "allocator/isolated/sealed_record.h"

namespace lockfast::internal {

class span;

class sealed_copies {
 public:
  constexpr sealed_copies() = default;

  struct entry {
    span* at;
    sealed_record* record;
    std::size_t size;          // of the secret
    std::uintptr_t closed_at;  // by the parent, before the fork
    std::uint32_t generation;  // of the record, and of the secret in its pages
  };

  // Makes room for so many; without memory for the table there is none.
  void begin(std::size_t count);
  [[nodiscard]] bool full() const { return count_ == room_; }
  // Requires room. Owns the record from then on.
  void add(const entry& made) { table_[count_++] = made; }

  // Walks over the spans again, in the order in which they were added: whether each one has a record here.
  class walk {
   public:
    explicit walk(const sealed_copies& over) : over_(over) {}
    [[nodiscard]] bool has(const span& next) {
      if (at_ == over_.count_ || over_.table_[at_].at != &next) return false;
      ++at_;
      return true;
    }

   private:
    const sealed_copies& over_;
    std::size_t at_ = 0;
  };

  // In the parent: gives the records and the table back.
  void end();
  // In the child: gives back each record that keeps(entry) says false of, and the table.
  template <class Keeps>
  void settle_in_child(Keeps keeps) {
    for (std::size_t at = 0; at < count_; ++at) {
      if (!keeps(table_[at])) sealed_record::give_back(table_[at].record, table_[at].size);
    }
    count_ = 0;
    end();
  }

 private:
  entry* table_ = nullptr;
  std::size_t table_size_ = 0;  // bytes, whole pages
  std::size_t room_ = 0;
  std::size_t count_ = 0;
};

}  // namespace lockfast::internal

#endif
