// locking.cc - the locking of a vault: what a passphrase becomes, and the calls of the interface.
#include "boojum/crypto/drawn.h"
#include "boojum/vault/locking.h"

#include <lockfast/passphrase.hpp>
#include <lockfast/vault.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

#include "boojum/crypto/passphrase_access.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/error_note.h"
#include "boojum/vault/vault_lock.h"
#include "boojum/vault/vault_state.h"
#include "boojum/vault/with_room.h"

namespace lockfast {
namespace internal {

using result = std::expected<void, memory_error>;

// ---- Of a vault's state ---------------------------------------------------------------------------------------------------

result vault_state::seal_keys(key_view under) {
  if (auto done = keys_.seal_under(under); !done) return done;
  auto done = names_.seal_keys(under);
  if (!done) (void)keys_.open_under(under);
  return done;
}

result vault_state::open_keys(key_view under) {
  auto opened = keys_.opened_under(under);
  if (!opened) return std::unexpected(opened.error());
  if (auto done = names_.open_keys(under); !done) return done;
  keys_.put_back(std::move(*opened));
  return {};
}

// Joined to the refresher without the mutex: a fork holds the list of what it visits, and waits for the mutex.
std::expected<std::shared_ptr<vault_lock>, memory_error> vault_state::made_lock() {
  if (lock() != nullptr) return lock_;
  const auto mine = std::make_shared<vault_lock>(*this);
  if (auto joined = join_refresher(mine); !joined) return std::unexpected(joined.error());
  const std::scoped_lock held(making_lock_);
  if (lock_ == nullptr) {
    lock_ = mine;
    lock_now_.store(mine.get(), std::memory_order_release);
  }
  return lock_;
}

// ---- Keys of passphrases --------------------------------------------------------------------------------------------------

std::expected<buffer<std::byte>, memory_error> stretch(const passphrase& phrase, std::span<const std::byte> salt,
                                                       const stretching& cost, use_kind kind) {
  if (cost.function == vault::kdf::argon2id) {
    const argon2id_cost wanted = {.memory = 1U << cost.cost, .passes = cost.block, .lanes = cost.parallel};
    return passphrase_access::derive_argon2id(phrase, salt, wanted, key_size, kind);
  }
  return passphrase_access::derive(phrase, salt, {.work = cost.cost, .block = cost.block, .parallel = cost.parallel}, key_size,
                                   kind);
}

result make_lock_key(lock_key& key, std::span<const std::byte> stretched, std::span<const std::byte, 32> salt,
                     const stretching& cost) {
  std::ranges::copy(salt, key.salt.begin());
  key.cost = cost;
  return key.make(stretched);
}

result lock_with_key(vault_state& of, const lock_key& key, const passphrase& phrase, const vault::lock_options& chosen) {
  if (std::min(chosen.idle, chosen.lifetime) < std::chrono::milliseconds::zero()) {
    return refused_because(memory_error::limit_exceeded, nullptr, "a time after which a vault locks is negative");
  }
  return catch_bad_alloc([&]() -> result {
    const auto lock = of.made_lock();
    if (!lock) return std::unexpected(lock.error());
    return (*lock)->arm(key, passphrase_access::state(phrase), std::make_shared<const vault::lock_options>(chosen));
  });
}

namespace {

// The key that a passphrase gives with the salt and the cost of key.
result stretch_into(lock_key& key, const passphrase& phrase) {
  const auto stretched = stretch(phrase, key.salt, key.cost, use_kind::keeps_alive);
  if (!stretched) return std::unexpected(stretched.error());
  const auto bytes = stretched->try_read();
  if (!bytes) return std::unexpected(bytes.error());
  return key.make(bytes->span());
}

std::unexpected<memory_error> refused_without_phrase() {
  return refused_because(memory_error::unavailable, nullptr,
                         "the vault has no passphrase that would unlock it: give it one with lock_with");
}

}  // namespace
}  // namespace internal

// ---- The interface --------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> vault::lock_with(const passphrase& phrase) { return lock_with(phrase, lock_options{}); }

std::expected<void, memory_error> vault::lock_with(const passphrase& phrase, const lock_options& chosen) {
  return internal::noting([&]() -> std::expected<void, memory_error> {
    const auto use = begin_use();
    if (!use) return std::unexpected(use.error());
    if (chosen.cost < 10 || chosen.cost > 20) {
      return internal::refused_because(memory_error::limit_exceeded, nullptr, "a cost of %u is out of the range of 10 to 20",
                                       chosen.cost);
    }
    internal::lock_key key;
    key.cost = {.cost = chosen.cost};
    if (auto drawn = internal::draw_bytes(std::as_writable_bytes(std::span(key.salt))); !drawn) return drawn;
    if (auto made = internal::stretch_into(key, phrase); !made) return made;
    return internal::lock_with_key(*state_, key, phrase, chosen);
  });
}

std::expected<void, memory_error> vault::lock() {
  return internal::noting([&]() -> std::expected<void, memory_error> {
    if (state_ == nullptr) return std::unexpected(memory_error::wiped);
    internal::vault_lock* const lock = state_->lock();
    if (lock == nullptr || !lock->is_armed()) return internal::refused_without_phrase();
    return internal::with_room(*state_, [&] { return lock->lock(); });
  });
}

std::expected<void, memory_error> vault::unlock(const passphrase& phrase) {
  return internal::noting([&]() -> std::expected<void, memory_error> {
    if (state_ == nullptr) return std::unexpected(memory_error::wiped);
    internal::vault_lock* const lock = state_->lock();
    if (lock == nullptr || !lock->is_armed()) return internal::refused_without_phrase();
    internal::lock_key key;
    lock->tell(key.salt, key.cost);
    if (auto made = internal::stretch_into(key, phrase); !made) return made;
    return lock->unlock(key, internal::passphrase_access::state(phrase));
  });
}

bool vault::locked() const { return state_ != nullptr && state_->lock() != nullptr && state_->lock()->locked(); }

std::expected<vault::lock_use, memory_error> vault::begin_use() const {
  if (state_ == nullptr) return std::unexpected(memory_error::wiped);
  auto lock = state_->shared_lock();
  if (lock == nullptr) return lock_use();
  if (auto begun = lock->begin_use(); !begun) return std::unexpected(begun.error());
  return lock_use(std::move(lock));
}

void vault::lock_use::end() { of_->end_use(); }

}  // namespace lockfast
