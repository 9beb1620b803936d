// resting_file.h - a file of ours while its process lives: nameless where the system can, else named, mode 0600 and held.
//
// Invariants
//   1. What was written is overwritten and synced before the file is closed for good or removed, by wipe() or the destructor.
//   2. In a forked child the file is the parent's: it is closed, and neither read nor written.
//   3. What was read or written is dropped from the system's cache: in the refresher's next round, or at once while it is
//      stopped. The disk is slow, and nobody who unlocks a secret waits for it.
//
// Threads: reading is safe from any number of threads, and so is the refresher's round beside all; the rest belongs to one at a
// time.
#ifndef LOCKFAST_BOOJUM_FILES_RESTING_FILE_H
#define LOCKFAST_BOOJUM_FILES_RESTING_FILE_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <span>

#include "boojum/memory/refresher.h"
#include "boojum/files/share_directory.h"
#include "platform/files.h"

namespace lockfast::internal {

class resting_file final : public refreshable {
 public:
  // A file of size zero bytes, whose room on the disk is taken.
  [[nodiscard]] static std::expected<std::shared_ptr<resting_file>, memory_error> create(
      const std::shared_ptr<share_directory>& directory, std::uint64_t size);

  resting_file(const resting_file&) = delete;
  resting_file& operator=(const resting_file&) = delete;
  ~resting_file() override;

  // Refusals of both: file_system; unavailable in a forked child; of read: damaged, where the file has not its size any more.
  [[nodiscard]] std::expected<void, memory_error> read(std::uint64_t offset, std::span<std::byte> out) const;
  [[nodiscard]] std::expected<void, memory_error> write(std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] std::expected<void, memory_error> wipe(std::uint64_t offset, std::uint64_t size);
  // To be called when what a caller has to read and write is done: sees to invariant 3.
  void rest();
  void round() override;

  // Whether this process is the one that created it.
  [[nodiscard]] bool is_ours() const;

  // Overwrites, syncs and removes it; file_system when a part of that was refused.
  [[nodiscard]] std::expected<void, memory_error> wipe();

 private:
  resting_file(std::shared_ptr<share_directory> directory, std::uint64_t size);
  [[nodiscard]] platform::error open();
  // file_system, with a note of what was tried.
  [[nodiscard]] std::expected<void, memory_error> result_of(platform::error refusal, const char* what) const;

  std::shared_ptr<share_directory> directory_;
  std::uint64_t size_;
  unsigned generation_;
  platform::file opened_ = platform::file::none;
  std::mutex closing_mutex_;  // held while the file is closed, and while the refresher uses it
  std::atomic<bool> cached_ = false;
  std::array<char, platform::name_capacity> name_{};  // empty: nameless
};

}  // namespace lockfast::internal

#endif
