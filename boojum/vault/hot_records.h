// hot_records.h - records that were opened lately: a few isolated blocks, at rest without access.
//
// The one that was not asked for the longest makes room for the next; its block is wiped when the last view of it goes.
//
// Invariants
//   1. count <= capacity.
//   2. A block is found by the id and the version that it was opened as, never by an older one.
//
// Threads: everything from any thread, but lock() and unlock(), which are for fork.
#ifndef LOCKFAST_BOOJUM_VAULT_HOT_RECORDS_H
#define LOCKFAST_BOOJUM_VAULT_HOT_RECORDS_H

#include <lockfast/detail/cell.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace lockfast::internal {

class hot_records {
 public:
  // Keeps none where there is no memory for the list of them.
  explicit hot_records(std::size_t capacity);

  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // Null when it is not there.
  [[nodiscard]] std::shared_ptr<detail::cell> find(std::uint64_t id, std::uint32_t version);
  void keep(std::uint64_t id, std::uint32_t version, const std::shared_ptr<detail::cell>& opened);
  void drop(std::uint64_t id);
  // Whether there was one.
  bool drop_all();
  // In a forked child, which under fork=wipe would find zeros in them. Requires lock().
  void drop_all_after_fork();

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  struct place {
    std::uint64_t id = 0;
    std::uint64_t used = 0;  // when, in uses of the whole
    std::uint32_t version = 0;
    std::shared_ptr<detail::cell> opened;
  };

  std::mutex mutex_;
  std::unique_ptr<place[]> places_;
  std::size_t capacity_;
  std::uint64_t uses_ = 0;
};

}  // namespace lockfast::internal

#endif
