// sealed_shard.h - one of the sixteen parts of a vault: sealed records in ordinary memory, and the index that finds them.
//
//    index   | entry of slot 0 | entry of slot 1 | ...        16 bytes each
//    log     | slot, nonce, tag, sealed bytes, pad | free | slot, nonce, tag, sealed bytes, pad | ...
//
// A record takes 44 bytes in front of it in the log, at most 3 behind it, and 16 in the index: at most 63 over its own size.
// What an erased record leaves in the log is closed up when it is more than an eighth of the whole: the records behind it
// slide down, and the end is given back.
//
// A shard knows nothing of keys, and sees sealed bytes alone.
//
// Invariants
//   1. An id is never given out twice: each tenant of a slot has a generation of its own, and a slot that comes back after it
//      was let go of begins above all that it had.
//   2. A version is never used twice for a record under one key.
//   3. The log is blocks from end to end: those of live records, and free ones, whose sealed bytes are wiped.
//   4. live_count() is right whenever the mutex is free, so that a fork finds no record uncounted.
//
// Threads: everything from any thread, but lock() and unlock(), which are for fork.
#ifndef LOCKFAST_BOOJUM_VAULT_SEALED_SHARD_H
#define LOCKFAST_BOOJUM_VAULT_SEALED_SHARD_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <span>

#include "boojum/vault/chunked_bytes.h"
#include "boojum/crypto/cipher.h"
#include "boojum/crypto/nonce.h"

namespace lockfast::internal {

// What lies in front of a record's sealed bytes.
struct seal_head {
  nonce once;
  std::array<std::byte, tag_size> tag;
};
static_assert(sizeof(seal_head) == nonce_size + tag_size);

// A slot and which of its tenants is meant.
struct tenancy {
  std::uint32_t slot;
  std::uint32_t generation;
};

// A live record, but for its bytes.
struct record_state {
  std::uint32_t size;     // of the plain bytes, and of the sealed ones without their tag
  std::uint32_t version;  // how often it was replaced
  std::uint32_t epoch;    // 0 or 1: which of the vault's two keys it is sealed under
};

struct live_record {
  tenancy at;
  record_state state;
};

class sealed_shard {
 public:
  static constexpr std::uint32_t max_size = (std::uint32_t{1} << 31) - 1;  // bytes of a record
  static constexpr std::uint32_t max_slots = std::uint32_t{1} << 28;

  sealed_shard() = default;
  sealed_shard(const sealed_shard&) = delete;
  sealed_shard& operator=(const sealed_shard&) = delete;

  // A slot for a new record, live once it is published; it stays reserved until then, over saves too. Refuses: refused, limit.
  [[nodiscard]] std::expected<tenancy, memory_error> reserve();
  // Whether it was reserved.
  bool abandon(tenancy reserved);
  [[nodiscard]] bool is_reserved(tenancy which) const;
  // Version 0 of a new record. Refuses: not_found - it is not reserved; refused, limit; then the slot stays reserved.
  [[nodiscard]] std::expected<void, memory_error> publish(tenancy reserved, std::uint32_t epoch, const seal_head& head,
                                                          std::span<const std::byte> sealed);

  [[nodiscard]] std::optional<record_state> find(tenancy at) const;

  // Copies what find would tell, the head, and as many sealed bytes as there is room for; nothing when it is gone.
  [[nodiscard]] std::optional<record_state> read(tenancy at, seal_head& head, std::span<std::byte> sealed) const;

  // The two above for several records in one turn at the mutex, which it holds: no other call of the shard meanwhile.
  class locked_reader {
   public:
    explicit locked_reader(const sealed_shard& at) : at_(at), held_(at.mutex_) {}
    [[nodiscard]] std::optional<record_state> find(tenancy which) const;
    [[nodiscard]] std::optional<record_state> read(tenancy which, seal_head& head, std::span<std::byte> sealed) const;

   private:
    const sealed_shard& at_;
    std::scoped_lock<std::mutex> held_;
  };

  // The next version of a record, which is 0 again behind the last one. Refuses: not_found; busy - its version is not the one
  // before; limit - the log is full, or 0 follows under the same key; refused. Then the record is as it was.
  [[nodiscard]] std::expected<void, memory_error> replace(tenancy at, record_state next, const seal_head& head,
                                                          std::span<const std::byte> sealed);

  // Whether there was such a record.
  bool erase(tenancy at);
  // Erases every record and lets go of all slots, those that are reserved as well.
  void clear();
  // Lets go of the free slots at the end.
  void trim();
  // No slot that was let go of had a later generation; a slot that is appended has the next one.
  [[nodiscard]] std::uint32_t floor() const;
  void set_floor(std::uint32_t generation);

  // Live records.
  [[nodiscard]] std::size_t live_count() const { return live_count_.load(std::memory_order_relaxed); }

  [[nodiscard]] std::uint32_t slot_count() const;
  // The first live record at or behind a slot.
  [[nodiscard]] std::optional<live_record> next_live(std::uint32_t slot) const;
  // How many tenants a slot has had, the present one included.
  [[nodiscard]] std::uint32_t generation_of(std::uint32_t slot) const;

  // Appends a slot that nobody has, or a reserved one. Refuses: refused, limit.
  [[nodiscard]] std::expected<void, memory_error> append_free(std::uint32_t generation);
  [[nodiscard]] std::expected<tenancy, memory_error> append_reserved(std::uint32_t generation);

  // Bytes of ordinary memory in use.
  [[nodiscard]] std::uint64_t footprint() const;

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  struct entry {
    std::uint32_t position;   // in the log, in granules; of a free slot: the next free one; or reserved_slot
    std::uint32_t size : 31;  // 0 when nothing lives here
    std::uint32_t epoch : 1;
    std::uint32_t generation;
    std::uint32_t version;
  };
  static_assert(sizeof(entry) == 16);

  // What a block begins with. A free block's bytes are its size in granules.
  static constexpr std::uint32_t free_block = 0xffff'ffff;
  static constexpr std::uint32_t no_slot = 0xffff'ffff;
  static constexpr std::uint32_t reserved_slot = 0xffff'fffe;
  static constexpr std::uint64_t granule = 4;
  static constexpr std::uint64_t head_size = sizeof(std::uint32_t) + sizeof(seal_head);
  static constexpr std::uint64_t garbage_share = 8;
  static constexpr std::uint64_t min_garbage = 4 * chunked_bytes::chunk_size;

  [[nodiscard]] entry& at(std::uint32_t slot) const { return index_.element<entry>(slot); }
  [[nodiscard]] entry* live(tenancy which) const;
  [[nodiscard]] entry* reserved(tenancy which) const;
  [[nodiscard]] static std::uint64_t block_size(std::uint32_t size) {
    return (head_size + size + granule - 1) / granule * granule;
  }
  [[nodiscard]] std::expected<std::uint32_t, memory_error> append_slot(std::uint32_t generation);
  [[nodiscard]] std::expected<std::uint32_t, memory_error> append_block(std::uint32_t slot, const seal_head& head,
                                                                        std::span<const std::byte> sealed);
  void write_block(std::uint64_t offset, std::uint32_t slot, const seal_head& head, std::span<const std::byte> sealed);
  void free_block_at(std::uint64_t offset, std::uint64_t size);
  void give_slot_back(std::uint32_t slot);
  void close_up();
  void drop_free_slots();
  [[nodiscard]] std::uint32_t word_at(std::uint64_t offset) const;
  void put_word(std::uint64_t offset, std::uint32_t word);

  mutable std::mutex mutex_;
  chunked_bytes index_;
  chunked_bytes log_;
  std::uint32_t slot_count_ = 0;
  std::uint32_t first_free_ = no_slot;
  std::uint32_t floor_ = 0;
  std::atomic<std::size_t> live_count_ = 0;  // changed by who has the mutex
  std::uint64_t garbage_ = 0;                // bytes of free blocks
};

}  // namespace lockfast::internal

#endif
