// vault_lock.cc - when a vault locks, and the sealing of its keys.
#include "boojum/vault/vault_lock.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

#include "boojum/crypto/passphrase_access.h"
#include "boojum/crypto/sha256.h"
#include "boojum/vault/vault_state.h"
#include "platform/thread.h"

namespace lockfast::internal {
namespace {

using result = std::expected<void, memory_error>;

constexpr std::string_view label = "lockfast vault lock";

// A clock counts nanoseconds, of which the longest time in milliseconds has too many.
constexpr std::chrono::milliseconds max_time = std::chrono::years(100);

bool has_passed(std::chrono::milliseconds time, std::chrono::nanoseconds since) {
  return time.count() > 0 && platform::elapsed_time() - since >= std::min(time, max_time);
}

}  // namespace

result lock_key::make(std::span<const std::byte> stretched) {
  hmac_sha256 hash;
  if (hash.refused() || bytes.refused()) return std::unexpected(memory_error::denied);
  hash.key(stretched);
  hash.begin();
  hash.add(std::as_bytes(std::span(label)));
  hash.finish(bytes.bytes().first<hash_size>());
  wipe_stack();
  return {};
}

result vault_lock::arm(const lock_key& key, std::shared_ptr<passphrase_state> goes_with,
                       std::shared_ptr<const vault::lock_options> chosen) {
  auto resting = resting_key::of(key.view());
  if (!resting) return std::unexpected(resting.error());
  if (auto usable = check(); !usable) return usable;
  // The sealed key is what tells one passphrase from another: a vault that has not needed a key yet would be unlocked by any.
  if (auto keys = of_->keys(); !keys) return std::unexpected(keys.error());
  const std::scoped_lock held(mutex_);
  if (locked_by_ != cause::none) return refusal();
  key_.swap(*resting);
  goes_with_.swap(goes_with);
  chosen_.swap(chosen);
  salt_ = key.salt;
  cost_ = key.cost;
  start_times();
  return {};
}

void vault_lock::start_times() { unlocked_at_ = last_use_ = platform::elapsed_time(); }

result vault_lock::refusal() const {
  if (locked_by_ == cause::none) return {};
  return std::unexpected(locked_by_ == cause::call ? memory_error::locked : memory_error::expired);
}

bool vault_lock::is_due() const {
  if (chosen_ == nullptr) return false;
  return has_passed(chosen_->lifetime, unlocked_at_) || (uses_ == 0 && has_passed(chosen_->idle, last_use_));
}

// Requires the mutex and, but for fresh vaults, a closed gate.
result vault_lock::seal_keys() {
  if (of_ == nullptr || key_ == nullptr) return {};
  const auto opened = key_->open();
  if (!opened) return std::unexpected(opened.error());
  if (auto done = of_->seal_keys((*opened)->view()); !done) return done;
  key_ = nullptr;
  of_->drop_all_hot();
  return {};
}

// Requires the mutex. What is not done now is done by the next call or round.
void vault_lock::seal_if_idle() {
  if (of_ == nullptr || key_ == nullptr || !of_->gate().close_if_idle()) return;
  (void)seal_keys();
  of_->gate().open();
}

// Locks by a call, or where a time has passed.
void vault_lock::decide(cause by, const std::shared_ptr<passphrase_state>& expired) {
  std::shared_ptr<const vault::lock_options> told;
  std::shared_ptr<passphrase_state> gone;
  {
    const std::scoped_lock held(mutex_);
    const bool is_now = of_ != nullptr && locked_by_ == cause::none && chosen_ != nullptr &&
                        (by == cause::call || is_due() || (expired != nullptr && expired == goes_with_));
    if (is_now) {
      locked_by_ = by;
      gone = std::exchange(goes_with_, nullptr);
      told = chosen_;
    }
    if (locked_by_ != cause::none) seal_if_idle();
  }
  if (told != nullptr && told->on_lock != nullptr) told->on_lock();
}

result vault_lock::check() {
  std::shared_ptr<passphrase_state> goes_with;
  {
    const std::scoped_lock held(mutex_);
    if (locked_by_ == cause::none) goes_with = goes_with_;
    if (locked_by_ == cause::none && goes_with == nullptr && !is_due()) return {};
  }
  // Asked without the mutex: a passphrase that expires calls its owner.
  const bool has_expired = goes_with != nullptr && passphrase_access::has_expired(*goes_with);
  decide(cause::time, has_expired ? goes_with : nullptr);
  const std::scoped_lock held(mutex_);
  return refusal();
}

result vault_lock::begin_use() {
  if (auto usable = check(); !usable) return usable;
  const std::scoped_lock held(mutex_);
  if (auto usable = refusal(); !usable) return usable;
  ++uses_;
  return {};
}

void vault_lock::end_use() {
  const std::scoped_lock held(mutex_);
  last_use_ = platform::elapsed_time();
  // A use that began before the lock may have left a cached record.
  if (uses_ != 0 && --uses_ == 0 && locked_by_ != cause::none && of_ != nullptr) of_->drop_all_hot();
}

result vault_lock::lock() {
  decide(cause::call, nullptr);
  for (;;) {
    vault_state* of = nullptr;
    {
      const std::scoped_lock held(mutex_);
      if (key_ == nullptr || locked_by_ == cause::none) return {};
      of = of_;
    }
    // Changes and saves that are under way are waited for, but not by the watcher of a save.
    if (of == nullptr || !of->gate().close()) return {};
    result done;
    {
      const std::scoped_lock held(mutex_);
      // While this waited another thread may have sealed the keys, and a third one have unlocked the vault.
      if (locked_by_ != cause::none) done = seal_keys();
    }
    of->gate().open();
    if (done || done.error() != memory_error::busy) return done;
    std::this_thread::yield();  // names are being changed
  }
}

result vault_lock::unlock(const lock_key& key, std::shared_ptr<passphrase_state> goes_with) {
  auto resting = resting_key::of(key.view());
  if (!resting) return std::unexpected(resting.error());
  (void)check();
  if (locked()) (void)lock();  // what is decided is done, so that there are sealed keys
  const std::scoped_lock held(mutex_);
  if (chosen_ == nullptr || of_ == nullptr) return std::unexpected(memory_error::unavailable);
  if (key_ == nullptr) {
    if (auto done = of_->open_keys(key.view()); !done) return done;
    key_.swap(*resting);
    locked_by_ = cause::none;
  } else {
    if (locked_by_ != cause::none) return std::unexpected(memory_error::busy);  // a save's watcher, or no memory to seal with
    const auto mine = key_->open();
    if (!mine) return std::unexpected(mine.error());
    if (lockfast_equal((*mine)->view().data(), key.view().data(), key_size) == 0) {
      return std::unexpected(memory_error::wrong_passphrase);
    }
  }
  goes_with_.swap(goes_with);
  start_times();
  return {};
}

bool vault_lock::locked() {
  (void)check();
  const std::scoped_lock held(mutex_);
  return locked_by_ != cause::none;
}

bool vault_lock::is_armed() const {
  const std::scoped_lock held(mutex_);
  return chosen_ != nullptr;
}

void vault_lock::tell(std::array<std::byte, 32>& salt, stretching& cost) const {
  const std::scoped_lock held(mutex_);
  salt = salt_;
  cost = cost_;
}

void vault_lock::detach() {
  const std::scoped_lock held(mutex_);
  of_ = nullptr;
}

}  // namespace lockfast::internal
