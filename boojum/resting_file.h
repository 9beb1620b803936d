// resting_file.h - a file of ours while its process lives: nameless where the system can, else named, mode 0600 and held.
//
// Invariants
//   1. What was written is overwritten and synced before the file is closed for good or removed, by wipe() or the destructor.
//   2. In a forked child the file is the parent's: it is closed, and neither read nor written.
//
// Threads: reading is safe from any number of threads; the rest belongs to one at a time.
#ifndef LOCKFAST_BOOJUM_RESTING_FILE_H
#define LOCKFAST_BOOJUM_RESTING_FILE_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

#include "boojum/share_directory.h"
#include "platform/files.h"

namespace lockfast::internal {

class resting_file {
 public:
  // A file of size zero bytes, whose room on the disk is taken.
  [[nodiscard]] static std::expected<std::unique_ptr<resting_file>, memory_error> create(
      const std::shared_ptr<share_directory>& directory, std::uint64_t size);

  resting_file(const resting_file&) = delete;
  resting_file& operator=(const resting_file&) = delete;
  ~resting_file();

  // Refusals of both: file_system; unavailable in a forked child; of read: damaged, where the file has not its size any more.
  [[nodiscard]] std::expected<void, memory_error> read(std::uint64_t offset, std::span<std::byte> out) const;
  [[nodiscard]] std::expected<void, memory_error> write(std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] std::expected<void, memory_error> wipe(std::uint64_t offset, std::uint64_t size);
  // Lets the system forget its copy in RAM.
  void forget() const { platform::forget(opened_); }

  // Whether this process is the one that created it.
  [[nodiscard]] bool is_ours() const;

  // Overwrites, syncs and removes it; file_system when a part of that was refused.
  [[nodiscard]] std::expected<void, memory_error> wipe();

 private:
  resting_file(std::shared_ptr<share_directory> directory, std::uint64_t size);
  [[nodiscard]] bool open();

  std::shared_ptr<share_directory> directory_;
  std::uint64_t size_;
  unsigned generation_;
  platform::file opened_ = platform::file::none;
  std::array<char, platform::name_capacity> name_{};  // empty: nameless
};

}  // namespace lockfast::internal

#endif
