// ram_share.h - a share in RAM: an isolated secret that rests without access, at a place of its own.
//
// An isolated secret stands between guard pages, so any two shares are more than a page apart. How far is left to chance twice:
// the allocator takes a random one of the places that it keeps ready, and before a share is placed a random number of places is
// taken and given back, so that the next share does not stand beside the last.
//
// Threads: as share.
#ifndef LOCKFAST_BOOJUM_SPLIT_RAM_SHARE_H
#define LOCKFAST_BOOJUM_SPLIT_RAM_SHARE_H

#include "boojum/split/share.h"

namespace lockfast::internal {

class ram_share final : public share {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<share>, memory_error> make(std::span<const std::byte> bytes);
  ~ram_share() override;

  [[nodiscard]] std::expected<std::span<const std::byte>, memory_error> open(purpose use, std::span<std::byte> room) override;
  void close() override;
  [[nodiscard]] result prepare(std::span<const std::byte> next, refresh_target where,
                               std::shared_ptr<resting_file>& file) override;
  void abandon() override;
  void commit(std::span<const std::byte> next) override;
  [[nodiscard]] result settle() override;
  [[nodiscard]] result wipe() override;

 private:
  ram_share(std::byte* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  std::byte* bytes_;
  std::size_t size_;
  std::byte* next_ = nullptr;  // where it moves to
};

}  // namespace lockfast::internal

#endif
