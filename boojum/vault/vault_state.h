// vault_state.h - what a vault owns: sixteen shards of sealed records, the ring of keys, the records opened lately.
//
//    insert, replace:   gate | key opened | sealed beside the shard | published in the shard
//    open, use:         key opened | sealed bytes copied out of the shard | opened in place, in their isolated block
//    rekey, save:       gate closed | a few records at a time through locked memory
//
// What has several records takes them through the cipher a batch at a time.
//
// A shard's mutex is held while bytes are copied, never while a cipher runs.
//
// Invariants
//   1. Plain bytes are in isolated blocks and in locked memory alone.
//   2. Order of mutexes: list of vaults > lock > gate > keys > hot records > save history > names > shards by number.
//
// Threads: everything from any thread, but construction, destruction and what fork calls.
#ifndef LOCKFAST_BOOJUM_VAULT_VAULT_STATE_H
#define LOCKFAST_BOOJUM_VAULT_VAULT_STATE_H

#include <lockfast/vault.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "boojum/vault/change_gate.h"
#include "boojum/crypto/cipher_batch.h"
#include "boojum/vault/hot_records.h"
#include "boojum/vault/key_ring.h"
#include "boojum/vault/record_names.h"
#include "boojum/vault/save_history.h"
#include "boojum/vault/sealed_shard.h"

namespace lockfast::internal {

class locked_buffer;
class vault_lock;

using vault_identity = std::array<std::byte, 16>;

class vault_state {
 public:
  static constexpr std::size_t shard_count = 16;

  // A shard and a tenant of it: the parts of an id.
  struct location {
    std::size_t shard;
    tenancy at;
  };
  [[nodiscard]] static location locate(vault::id which);
  [[nodiscard]] static vault::id id_of(const location& where);

  // A record between its sealed form and its plain bytes.
  struct passing_record {
    location where = {0, {0, 0}};
    record_state state = {};
    seal_head head = {};
    std::span<const std::byte> from;
    std::byte* to = nullptr;  // as many bytes; the two begin at the same byte or do not overlap
  };
  // How many go through the cipher together, and how long they may be in bytes: longer ones gain nothing by it.
  static constexpr std::size_t batch_size = cipher_batch_size;
  static constexpr std::size_t batch_bytes = 4096;

  // The keys of one call.
  class session {
   public:
    explicit session(const vault_state& of, key_ring::snapshot&& keys) : of_(of), keys_(std::move(keys)) {}

    [[nodiscard]] std::uint32_t current() const { return keys_.current(); }
    [[nodiscard]] std::uint64_t rotation() const { return keys_.rotation(); }

    // Opens the present key, where it is not open yet.
    [[nodiscard]] std::expected<void, memory_error> begin();

    // Seals a batch under the present key, each as the version that its state says, and makes its head. Refuses as open_keys::of
    // does; refused.
    [[nodiscard]] std::expected<void, memory_error> seal(std::span<passing_record> batch);

    // Opens a record into out, which it fills to the last byte. Refuses: not_found, damaged, refused, unavailable; busy - it
    // has another size by now, or the keys are no longer those of this session: then look again.
    [[nodiscard]] std::expected<record_state, memory_error> open(const location& where, std::span<std::byte> out);

    // The same for a batch of what was read of records before. Refuses as open does, but for not_found, where any of them does
    // not open; its output is wiped then.
    [[nodiscard]] std::expected<void, memory_error> open_read(std::span<passing_record> batch);

   private:
    const vault_state& of_;
    open_keys keys_;
  };

  explicit vault_state(const vault::options& chosen);
  vault_state(const vault::options& chosen, const vault_identity& identity, std::uint64_t saves);
  ~vault_state();
  vault_state(const vault_state&) = delete;
  vault_state& operator=(const vault_state&) = delete;

  [[nodiscard]] std::expected<void, memory_error> insert(vault::spans secrets, std::span<vault::id> ids);
  // A record and its name, or neither. name_taken, as the names refuse.
  [[nodiscard]] std::expected<vault::id, memory_error> insert(std::string_view name, std::span<const std::byte> secret);
  // An id whose record comes later, with fill. Erasing it gives it back.
  [[nodiscard]] std::expected<vault::id, memory_error> reserve();
  [[nodiscard]] std::expected<void, memory_error> fill(vault::id reserved, std::span<const std::byte> secret);
  [[nodiscard]] std::expected<void, memory_error> replace(vault::id which, std::span<const std::byte> secret);
  [[nodiscard]] std::expected<void, memory_error> erase(vault::id which);
  [[nodiscard]] std::expected<void, memory_error> clear();
  [[nodiscard]] std::expected<vault::view, memory_error> open(vault::id which);
  [[nodiscard]] std::expected<vault::views, memory_error> open(std::span<const vault::id> which);
  // Gives up the opened records that stay cached, but for those with a view; whether there was one.
  bool drop_all_hot() { return hot_.drop_all(); }
  [[nodiscard]] std::expected<void, memory_error> rekey();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::optional<record_state> find(vault::id which) const;
  [[nodiscard]] vault::id next(vault::id behind) const;
  [[nodiscard]] std::uint64_t footprint() const;
  [[nodiscard]] std::chrono::steady_clock::duration key_age() const { return keys_.age(); }
  [[nodiscard]] std::uint64_t saves() const { return saves_.load(std::memory_order_relaxed); }

  // Seals the vault's keys, and those of the names, under a key; and the reverse. Requires a closed gate. Refuse as key_ring does, and
  // then change nothing.
  [[nodiscard]] std::expected<void, memory_error> seal_keys(key_view under);
  [[nodiscard]] std::expected<void, memory_error> open_keys(key_view under);
  // Null where the vault has never had a passphrase to lock with.
  [[nodiscard]] vault_lock* lock() const { return lock_now_.load(std::memory_order_acquire); }
  // Makes it where there is none.
  [[nodiscard]] std::expected<std::shared_ptr<vault_lock>, memory_error> made_lock();
  [[nodiscard]] std::shared_ptr<vault_lock> shared_lock() const { return lock() == nullptr ? nullptr : lock_; }

  // For saving and loading.
  [[nodiscard]] change_gate& gate() { return gate_; }
  [[nodiscard]] const vault_identity& identity() const { return identity_; }
  [[nodiscard]] sealed_shard& shard(std::size_t number) { return shards_[number]; }
  [[nodiscard]] std::expected<key_ring::snapshot, memory_error> keys() { return keys_.now(); }
  // Seals secrets as the tenants of reserved slots: a batch, of which `where` and `from` say what. A refusal has published none, or
  // the first of them; the others stay reserved.
  [[nodiscard]] std::expected<void, memory_error> admit(session& with, std::span<passing_record> batch);
  [[nodiscard]] std::expected<void, memory_error> admit(session& with, const location& where,
                                                        std::span<const std::byte> secret);
  [[nodiscard]] record_names& names() { return names_; }
  // Gives a record, or a reserved id, a name or a label.
  [[nodiscard]] std::expected<void, memory_error> describe(vault::id which, record_names::part part, std::string_view text);
  [[nodiscard]] const save_history& history() const { return history_; }
  [[nodiscard]] save_history& history() { return history_; }
  void set_saves(std::uint64_t count) { saves_.store(count, std::memory_order_relaxed); }

  // The mutex of every vault's lock comes before all else of any vault: a lock seals the keys of its vault's names, too.
  void hold_lock_over_fork();
  void before_fork();
  void after_fork_in_parent();
  void after_fork_in_child();

 private:
  friend class vault_list;

  [[nodiscard]] bool rekey_is_due() const;
  void rekey_when_due();
  [[nodiscard]] std::expected<bool, memory_error> rekey_some();
  void rekey_again_in(std::chrono::steady_clock::duration time);
  [[nodiscard]] std::expected<void, memory_error> begin_rekey();
  [[nodiscard]] std::expected<void, memory_error> rekey_within_gate();
  [[nodiscard]] std::expected<bool, memory_error> rekey_shards(session& with);
  [[nodiscard]] std::expected<bool, memory_error> rekey_shard(std::size_t number, session& with);
  [[nodiscard]] std::expected<void, memory_error> insert_within_gate(vault::spans secrets, std::span<vault::id> ids);
  [[nodiscard]] std::expected<void, memory_error> insert_batch(session& with, vault::spans secrets, std::span<vault::id> ids);
  void take_back(const location& where);
  [[nodiscard]] std::expected<vault::view, memory_error> open_cold(vault::id which, const location& where,
                                                                   const record_state& found, session& with);
  [[nodiscard]] std::expected<void, memory_error> open_together(std::span<const vault::id> which, session& with,
                                                                vault::views& out);
  void drop_hot(vault::id which) { hot_.drop(which.value()); }

  // Who has closed the gate changes these.
  struct rekey_progress {
    location next = {0, {0, 0}};  // the first record that may be left under the old key; past the last shard: none
    std::chrono::steady_clock::duration pause{0};  // after the latest refusal
  };

  const std::chrono::seconds max_key_age_;
  rekey_progress rekey_progress_;
  std::atomic<bool> rekey_goes_on_ = false;
  std::atomic<std::chrono::steady_clock::rep> rekey_not_before_ = 0;
  vault_identity identity_;
  std::atomic<std::uint64_t> saves_;
  std::atomic<std::uint32_t> turn_ = 0;  // of the shards, for new records
  change_gate gate_;
  key_ring keys_;
  hot_records hot_;
  save_history history_;
  record_names names_;
  std::mutex making_lock_;
  std::shared_ptr<vault_lock> lock_;  // never changed once lock_now_ tells of it
  std::atomic<vault_lock*> lock_now_ = nullptr;
  std::array<sealed_shard, shard_count> shards_;
  vault_state* next_ = nullptr;  // in the list of vaults
};

}  // namespace lockfast::internal

#endif
