// file_share.h - a share in a file of two areas, of which one holds it and the other is zero.
//
//    | header | share bytes | 0 ... 0 | 0 ... 0     |        and after a rewrite the other way round
//    |<------ area 0 ------>|<------ area 1 ------->|
//
// A new value is written into the idle area; committing it only changes which area counts. So a write that fails, on a full
// disk say, leaves the old value whole. The object knows every byte of the header and that the idle area is zero: whatever
// differs is damage. The bytes of the share are verified with the secret, by its tag.
//
// Threads: as share.
#ifndef LOCKFAST_BOOJUM_SPLIT_FILE_SHARE_H
#define LOCKFAST_BOOJUM_SPLIT_FILE_SHARE_H

#include "boojum/files/resting_file.h"
#include "boojum/split/share.h"

namespace lockfast::internal {

class file_share final : public share {
  // As the processor has it: the file does not leave the process.
  struct header {
    char magic[8] = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't'};
    std::uint32_t version = 1;
    std::uint32_t index = 0;       // of the share
    std::uint64_t size = 0;        // of the share, bytes
    std::uint64_t generation = 0;  // one more with each rewrite
  };

 public:
  [[nodiscard]] static std::expected<std::unique_ptr<share>, memory_error> make(
      const std::shared_ptr<share_directory>& directory, unsigned index, const share_content& content);

  ~file_share() override;

  // The room that open() wants for a share of this size: for the whole file.
  [[nodiscard]] static constexpr std::size_t room_for(std::size_t size) { return 2 * (sizeof(header) + size); }

  [[nodiscard]] std::expected<std::span<const std::byte>, memory_error> open(purpose use, std::span<std::byte> room) override;
  void close() override;
  [[nodiscard]] result prepare(const share_content& next, refresh_target where, std::shared_ptr<resting_file>& file) override;
  void abandon(const share_content& next) override;
  void commit(const share_content& next) override;
  [[nodiscard]] result settle() override;
  [[nodiscard]] bool is_here() const override { return file_->is_ours(); }
  [[nodiscard]] result wipe() override;

 private:
  file_share(std::shared_ptr<resting_file> file, unsigned index, std::size_t size);
  [[nodiscard]] std::size_t area_size() const { return sizeof(header) + static_cast<std::size_t>(header_.size); }
  // Writes an area, put together in room, which is as long.
  [[nodiscard]] result write(resting_file& to, unsigned area, const header& of, const share_content& content,
                             std::span<std::byte> room) const;
  void give_up_next();
  [[nodiscard]] result clean_idle_area();

  std::shared_ptr<resting_file> file_;
  std::shared_ptr<resting_file> next_;  // that it moves to, or the one that it left
  header header_;
  unsigned area_ = 0;
  bool idle_area_is_zero_ = true;
  std::span<std::byte> room_;  // while it is open: what the file held, then what is written
};

}  // namespace lockfast::internal

#endif
