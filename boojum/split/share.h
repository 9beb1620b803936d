// share.h - one share of a split secret, at rest: an isolated secret without access, or a file.
//
//            open              prepare(next)            commit(next)           settle
//    rest ----------> open --------------------> open ---------------> open ------------> open
//         <----------        <- abandon(next) -           (cannot fail)         (old bytes are
//            close                                                            overwritten)
//
// A new value is prepared for every share of a secret before it is committed for any: a refusal on the way leaves all as it was.
//
// Threads: a share belongs to one thread at a time.
#ifndef LOCKFAST_BOOJUM_SPLIT_SHARE_H
#define LOCKFAST_BOOJUM_SPLIT_SHARE_H

#include <lockfast/boojum.hpp>

#include <cstddef>
#include <expected>
#include <memory>
#include <span>

#include "boojum/files/resting_file.h"
#include "boojum/files/share_directory.h"
#include "boojum/split/share_content.h"

namespace lockfast::internal {

using result = std::expected<void, memory_error>;

enum class purpose : unsigned char { reading, rewriting };

class share {
 public:
  // A share of this content, which is not empty. Requires directory for files alone.
  [[nodiscard]] static std::expected<std::unique_ptr<share>, memory_error> make(
      share_place where, const std::shared_ptr<share_directory>& directory, unsigned index, const share_content& content);

  share() = default;
  share(const share&) = delete;
  share& operator=(const share&) = delete;
  virtual ~share() = default;

  // Gives the bytes, until close(); a file is read into room, which is as long as file_share::room_for says. Refusals: damaged,
  // file_system, unavailable, refused.
  [[nodiscard]] virtual std::expected<std::span<const std::byte>, memory_error> open(purpose use,
                                                                                     std::span<std::byte> room) = 0;
  virtual void close() = 0;

  // Makes sure that commit(next) cannot fail. A refusal has changed nothing. Requires an open share, opened for rewriting, and
  // a new file of the share's length for a share in a file that changes its address, which the share takes.
  // A fresh prekey has added its mask afterwards.
  [[nodiscard]] virtual result prepare(const share_content& next, refresh_target where,
                                       std::shared_ptr<resting_file>& file) = 0;
  virtual void abandon(const share_content& next) = 0;
  virtual void commit(const share_content& next) = 0;
  // Overwrites what the share was before the commit; a refusal leaves some of that behind.
  [[nodiscard]] virtual result settle() = 0;

  // Whether this process has it. A forked child may not.
  [[nodiscard]] virtual bool is_here() const = 0;

  // Overwrites the share and gives it back; the destructor does the same without a word.
  [[nodiscard]] virtual result wipe() = 0;
};

}  // namespace lockfast::internal

#endif
