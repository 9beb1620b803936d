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
  [[nodiscard]] static std::expected<std::unique_ptr<share>, memory_error> make(const share_content& content);
  ~ram_share() override;

  [[nodiscard]] std::expected<std::span<const std::byte>, memory_error> open(purpose use, std::span<std::byte> room) override;
  void close() override;
  // A fresh prekey that stays where it is takes the place of the old one at once, and abandon() brings that back.
  [[nodiscard]] result prepare(const share_content& next, refresh_target where, std::shared_ptr<resting_file>& file) override;
  void abandon(const share_content& next) override;
  void commit(const share_content& next) override;
  [[nodiscard]] result settle() override;
  [[nodiscard]] bool is_here() const override;
  [[nodiscard]] result wipe() override;

 private:
  ram_share(std::byte* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  [[nodiscard]] std::span<std::byte> here() const { return {bytes_, size_}; }

  std::byte* bytes_;
  std::size_t size_;
  std::byte* next_ = nullptr;  // where it moves to
};

}  // namespace lockfast::internal

#endif
