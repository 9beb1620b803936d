// sealed_record.h - a closed secret as it lies in ordinary memory: encrypted and authenticated.
//
//    | number: which key, and which record under it | tag | as many sealed bytes as the secret has |
//
// Records come from the allocator's metadata, in size classes an eighth apart; those of more than max_class bytes have pages of
// their own, which are given back.
//
// Threads: everything, from any thread; bytes_reserved() without a mutex, from a signal handler, too.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SEALED_RECORD_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SEALED_RECORD_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "allocator/cipher/aead.h"
#include "platform/platform.h"

namespace lockfast::internal {

class sealed_record {
 public:
  // A record for a secret of that size, of undefined contents; null when there is no memory.
  [[nodiscard]] static sealed_record* take(std::size_t size);
  // Wipes it and gives it back; size is that of the secret.
  static void give_back(sealed_record* one, std::size_t size);

  // Bytes of address space that records in pages of their own have.
  [[nodiscard]] static std::size_t bytes_reserved();
  // Held across a fork.
  static platform::mutex& mutex();

  std::uint64_t number;
  std::byte tag[aead::tag_size];

  [[nodiscard]] std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this + 1); }
};
static_assert(sizeof(sealed_record) == 24);

}  // namespace lockfast::internal

#endif
