// share_content.h - what a share is to hold: bytes that are given, or a fresh prekey.
//
//    seed --ChaCha20--> stream        prekey = stream                in a place where none was
//                                     prekey = the old one ^ stream  in the place of the old one
//
// A prekey is computed where it is to rest, and its mask is added from there: a scratch holds its seed alone, so that the length of
// prekeys does not count for it. To add the stream a second time brings the old prekey back, when a change is refused half-way.
//
// Threads: one, as the scratch that it works in.
#ifndef LOCKFAST_BOOJUM_SPLIT_SHARE_CONTENT_H
#define LOCKFAST_BOOJUM_SPLIT_SHARE_CONTENT_H

#include <cstddef>
#include <optional>
#include <span>

#include "boojum/split/share_masks.h"

namespace lockfast::internal {

// A prekey, and whose masks its mask is added to. What the spans point at outlives it.
struct fresh_prekey {
  seed_view seed;  // random bytes that serve once
  std::size_t size;
  unsigned index;  // of its share
  std::span<std::byte> masks;
  mixing_room room;
};

class share_content {
 public:
  explicit share_content(std::span<const std::byte> given) : given_(given) {}
  explicit share_content(const fresh_prekey& fresh) : fresh_(fresh) {}

  // In bytes.
  [[nodiscard]] std::size_t size() const { return fresh_ ? fresh_->size : given_.size(); }
  [[nodiscard]] bool is_fresh() const { return fresh_.has_value(); }

  // Writes it to a place of size() bytes, and adds the mask of a fresh prekey. False where libcrypto refuses.
  [[nodiscard]] bool put(std::span<std::byte> place) const;

  // Changes the prekey of before to a fresh one, in its place, and adds the mask. False where libcrypto refuses; then the place is as
  // it was. Requires is_fresh().
  [[nodiscard]] bool change(std::span<std::byte> place) const;
  // Undoes a change.
  void change_back(std::span<std::byte> place) const;

 private:
  std::span<const std::byte> given_;
  std::optional<fresh_prekey> fresh_;
};

}  // namespace lockfast::internal

#endif
