// vault_lock.h - a vault that is locked until its passphrase is given: by a call, when it was idle, after its lifetime, or when the
// passphrase that it goes with has expired.
//
//    unlocked   the lock key at rest (split), the vault's keys at rest (split)
//    locked     the vault's keys, sealed under the lock key; no lock key
//    lock key   = HMAC-SHA-256(passphrase stretched with a salt, label)
//
// "Locked" is said of a vault here as ssh-agent says it of itself; everywhere else it says that pages stay in RAM.
//
// The refresher or the next call, whichever looks first, decides a lock that is due. From then on calls are refused. The keys are
// sealed at that moment, or as soon as no change and no save is under way.
//
// Invariants
//   1. Where keys are sealed, calls are refused.
//   2. No function of a user runs, and nothing is waited for, while the mutex is held. It is taken before the gate's.
//
// Threads: everything from any thread, but before_fork() and what follows it.
#ifndef LOCKFAST_BOOJUM_VAULT_VAULT_LOCK_H
#define LOCKFAST_BOOJUM_VAULT_VAULT_LOCK_H

#include <lockfast/vault.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>

#include "boojum/memory/refresher.h"
#include "boojum/memory/scratch.h"
#include "boojum/split/resting_key.h"
#include "boojum/vault/header.h"

namespace lockfast::internal {

class passphrase_state;
class vault_state;

// How a lock key is made of a passphrase, and the key.
struct lock_key {
  std::array<std::byte, 32> salt = {};
  stretching cost;
  scratch bytes{key_size};

  [[nodiscard]] key_view view() const { return bytes.bytes().first<key_size>(); }
  // Makes it of what the passphrase was stretched to. Refuses: denied.
  [[nodiscard]] std::expected<void, memory_error> make(std::span<const std::byte> stretched);
};

class vault_lock final : public refreshable {
 public:
  explicit vault_lock(vault_state& of) : of_(&of) {}

  // From now on this key unlocks. The passphrase, which may be null, locks when it expires. locked, expired - as begin_use.
  [[nodiscard]] std::expected<void, memory_error> arm(const lock_key& key, std::shared_ptr<passphrase_state> goes_with,
                                                      std::shared_ptr<const vault::lock_options> chosen);

  // Locks where that is due. locked - by a call; expired - by time.
  [[nodiscard]] std::expected<void, memory_error> check();
  // The same, for a use that lasts until end_use().
  [[nodiscard]] std::expected<void, memory_error> begin_use();
  void end_use();

  // Returns when the keys are sealed, but in a save's watcher. Refuses: denied, unavailable - they are not sealed, but calls are
  // refused; the next call or round tries again.
  [[nodiscard]] std::expected<void, memory_error> lock();
  // wrong_passphrase; denied. Of a vault that is not locked it tells whether the key is its own, and starts its times again.
  [[nodiscard]] std::expected<void, memory_error> unlock(const lock_key& key, std::shared_ptr<passphrase_state> goes_with);
  [[nodiscard]] bool locked();
  // Whether there is a key that unlocks.
  [[nodiscard]] bool is_armed() const;

  // The salt and the cost of the key that unlocks; the key itself is left out.
  void tell(std::array<std::byte, 32>& salt, stretching& cost) const;

  // The vault goes.
  void detach();

  void round() override { (void)check(); }

  void before_fork() { mutex_.lock(); }
  void after_fork_in_parent() { mutex_.unlock(); }
  // The child has none of the other threads that used the vault: it begins a new count.
  void after_fork_in_child() {
    uses_ = 0;
    mutex_.unlock();
  }

 private:
  enum class cause : unsigned char { none, call, time };

  [[nodiscard]] bool is_due() const;
  [[nodiscard]] std::expected<void, memory_error> seal_keys();
  void seal_if_idle();
  void decide(cause by, const std::shared_ptr<passphrase_state>& expired);
  [[nodiscard]] std::expected<void, memory_error> refusal() const;
  void start_times();

  mutable std::mutex mutex_;
  vault_state* of_;  // null once it is gone
  std::shared_ptr<const vault::lock_options> chosen_;
  std::array<std::byte, 32> salt_ = {};
  stretching cost_;
  std::shared_ptr<const resting_key> key_;  // null while the vault's keys are sealed
  std::shared_ptr<passphrase_state> goes_with_;
  cause locked_by_ = cause::none;
  std::size_t uses_ = 0;  // that have begun and not ended
  std::chrono::nanoseconds last_use_{0};
  std::chrono::nanoseconds unlocked_at_{0};
};

}  // namespace lockfast::internal

#endif
