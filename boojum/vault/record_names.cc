// record_names.cc - descriptions sealed and opened, and the index of them.
#include "boojum/vault/record_names.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "boojum/crypto/cipher.h"
#include "boojum/crypto/drawn.h"
#include "boojum/crypto/little_endian.h"
#include "boojum/crypto/sha256.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/vault/open_into.h"
#include "boojum/vault/vault_state.h"

namespace lockfast::internal {
namespace {

using result = std::expected<void, memory_error>;

// | id, 8 | size of the name, 4 | name | label |
constexpr std::size_t front_size = sizeof(std::uint64_t) + sizeof(std::uint32_t);
constexpr std::uint64_t none = 0;  // no sealed description has this id

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

struct record_names::store {
  explicit store(const vault::options& chosen) : sealed(chosen) {}

  result make_hash_key() {
    const scratch key(hash_size);
    if (key.refused()) return std::unexpected(memory_error::denied);
    if (auto drawn = draw_bytes(key.bytes()); !drawn) return drawn;
    const std::span<const std::byte> bytes = key.bytes();
    return sealed.insert({&bytes, 1}, {&hash_key, 1});
  }

  vault_state sealed;
  vault::id hash_key;
};

// ---- Sealed descriptions --------------------------------------------------------------------------------------------------

std::shared_ptr<record_names::store> record_names::now() const {
  const std::scoped_lock held(mutex_);
  return store_;
}

std::expected<std::shared_ptr<record_names::store>, memory_error> record_names::made() {
  if (auto there = now(); there != nullptr) return there;
  const auto mine = std::make_shared<store>(chosen_);
  if (auto done = mine->make_hash_key(); !done) return std::unexpected(done.error());
  const std::scoped_lock held(mutex_);
  if (store_ == nullptr) store_ = mine;
  return store_;
}

std::expected<record_names::digest, memory_error> record_names::digest_of(store& in, std::string_view name) {
  locked_buffer room;
  const auto key = open_into(in.sealed, in.hash_key, room);
  if (!key) return std::unexpected(key.error());
  hmac_sha256 hash;
  if (hash.refused()) return std::unexpected(memory_error::denied);
  std::array<std::byte, hash_size> made;
  hash.key(*key);
  hash.begin();
  hash.add(std::as_bytes(std::span(name)));
  hash.finish(made);
  wipe_stack();
  digest out;
  std::memcpy(out.data(), made.data(), sizeof out);
  return out;
}

std::expected<record_names::description, memory_error> record_names::opened(store& in, std::uint64_t sealed,
                                                                            locked_buffer& room) {
  const auto bytes = open_into(in.sealed, vault::id(sealed), room);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() < front_size) return std::unexpected(memory_error::damaged);
  const std::size_t name_size = load_little<std::uint32_t>(bytes->data() + sizeof(std::uint64_t));
  const auto texts = bytes->subspan(front_size);
  if (name_size > texts.size()) return std::unexpected(memory_error::damaged);
  return description{vault::id(load_little<std::uint64_t>(bytes->data())), text_of(texts.first(name_size)),
                     text_of(texts.subspan(name_size))};
}

// Seals a description, in the place of the expected one if that is still the id's: busy if it is not.
result record_names::put(const description& described, std::uint64_t expected) {
  const auto in = made();
  if (!in) return std::unexpected(in.error());
  const std::string_view name = described.name;
  const std::string_view label = described.label;
  digest hash = {};
  if (!name.empty()) {
    const auto hashed = digest_of(**in, name);
    if (!hashed) return std::unexpected(hashed.error());
    hash = *hashed;
  }
  vault::id sealed(none);
  if (!name.empty() || !label.empty()) {
    const scratch room(front_size + name.size() + label.size());
    if (room.refused()) return std::unexpected(memory_error::denied);
    store_little(room.data(), described.which.value());
    store_little(room.data() + sizeof(std::uint64_t), static_cast<std::uint32_t>(name.size()));
    std::ranges::copy(std::as_bytes(std::span(name)), room.data() + front_size);
    std::ranges::copy(std::as_bytes(std::span(label)), room.data() + front_size + name.size());
    const std::span<const std::byte> bytes = room.bytes();
    if (auto done = (*in)->sealed.insert({&bytes, 1}, {&sealed, 1}); !done) return done;
  }
  auto done = catch_bad_alloc([&] { return publish(described.which, hash, sealed.value(), expected); });
  const std::uint64_t gone = done ? expected : sealed.value();
  if (gone != none) (void)(*in)->sealed.erase(vault::id(gone));
  return done;
}

// ---- The index ------------------------------------------------------------------------------------------------------------

result record_names::publish(vault::id which, const digest& name, std::uint64_t sealed, std::uint64_t expected) {
  const std::scoped_lock held(mutex_);
  const auto before = by_id_.find(which.value());
  if ((before == by_id_.end() ? none : before->second.sealed) != expected) return std::unexpected(memory_error::busy);
  const bool named = name != digest{};
  if (named) {
    const auto [owner, is_new] = by_name_.try_emplace(name, which.value());
    if (!is_new && owner->second != which.value()) return std::unexpected(memory_error::name_taken);
  }
  digest old = {};
  if (before != by_id_.end()) {
    old = before->second.name;
    if (sealed == none) {
      by_id_.erase(before);
    } else {
      before->second = {sealed, name};
    }
  } else if (sealed != none) {
    try {
      by_id_.emplace(which.value(), entry{sealed, name});
    } catch (...) {
      if (named) by_name_.erase(name);
      throw;
    }
  }
  if (old != digest{} && old != name) by_name_.erase(old);
  return {};
}

std::uint64_t record_names::sealed_of(vault::id which) const {
  const std::scoped_lock held(mutex_);
  const auto found = by_id_.find(which.value());
  return found == by_id_.end() ? none : found->second.sealed;
}

void record_names::forget(vault::id which) {
  std::uint64_t gone = none;
  std::shared_ptr<store> in;
  {
    const std::scoped_lock held(mutex_);
    const auto found = by_id_.find(which.value());
    if (found == by_id_.end()) return;
    gone = found->second.sealed;
    if (found->second.name != digest{}) by_name_.erase(found->second.name);
    by_id_.erase(found);
    in = store_;
  }
  (void)in->sealed.erase(vault::id(gone));
}

void record_names::clear() {
  std::shared_ptr<store> gone;
  const std::scoped_lock held(mutex_);
  by_name_.clear();
  by_id_.clear();
  gone = std::exchange(store_, nullptr);
}

// ---- Calls ----------------------------------------------------------------------------------------------------------------

result record_names::set(vault::id which, part of, std::string_view text) {
  if (text.size() > max_text) return std::unexpected(memory_error::limit_exceeded);
  return catch_bad_alloc([&]() -> result {
    for (;;) {
      const std::uint64_t before = sealed_of(which);
      locked_buffer room;
      description described = {which, {}, {}};
      if (before != none) {
        const auto there = opened(*now(), before, room);
        if (!there && there.error() == memory_error::not_found) continue;  // another thread was quicker
        if (!there) return std::unexpected(there.error());
        described = *there;
      } else if (text.empty()) {
        return {};
      }
      (of == part::name ? described.name : described.label) = text;
      auto done = put(described, before);
      if (done || done.error() != memory_error::busy) return done;
    }
  });
}

result record_names::add(const description& described) {
  return catch_bad_alloc([&] { return put(described, none); });
}

std::expected<vault::id, memory_error> record_names::find(std::string_view name) const {
  const auto in = now();
  if (in == nullptr || name.empty()) return std::unexpected(memory_error::not_found);
  const auto hash = digest_of(*in, name);
  if (!hash) return std::unexpected(hash.error());
  for (;;) {
    std::uint64_t which = 0;
    std::uint64_t sealed = none;
    {
      const std::scoped_lock held(mutex_);
      const auto found = by_name_.find(*hash);
      if (found == by_name_.end()) return std::unexpected(memory_error::not_found);
      which = found->second;
      const auto its = by_id_.find(which);
      if (its == by_id_.end()) return std::unexpected(memory_error::damaged);
      sealed = its->second.sealed;
    }
    locked_buffer room;
    const auto described = opened(*in, sealed, room);
    if (!described && described.error() == memory_error::not_found && sealed_of(vault::id(which)) != sealed) continue;
    if (!described)
      return std::unexpected(described.error() == memory_error::not_found ? memory_error::damaged : described.error());
    if (described->which != vault::id(which) || described->name != name) return std::unexpected(memory_error::damaged);
    return described->which;
  }
}

std::expected<record_names::description, memory_error> record_names::open(vault::id which, locked_buffer& room) const {
  const auto in = now();
  for (;;) {
    const std::uint64_t sealed = sealed_of(which);
    if (in == nullptr || sealed == none) return std::unexpected(memory_error::not_found);
    auto described = opened(*in, sealed, room);
    if (!described && described.error() == memory_error::not_found && sealed_of(which) != sealed) continue;
    if (described && described->which != which) return std::unexpected(memory_error::damaged);
    return described;
  }
}

result record_names::for_each(const std::function<result(const description&)>& look) const {
  return catch_bad_alloc([&]() -> result {
    locked_buffer room;
    for (const std::uint64_t id : ids()) {
      const auto described = open(vault::id(id), room);
      if (!described && described.error() == memory_error::not_found) continue;
      if (!described) return std::unexpected(described.error());
      if (auto done = look(*described); !done) return done;
    }
    return {};
  });
}

result record_names::rekey() {
  const auto in = now();
  return in == nullptr ? result() : in->sealed.rekey();
}

result record_names::seal_keys(key_view key) {
  const auto in = now();
  if (in == nullptr) return {};
  if (!in->sealed.gate().close_if_idle()) return std::unexpected(memory_error::busy);
  auto done = in->sealed.seal_keys(key);
  in->sealed.gate().open();
  return done;
}

result record_names::open_keys(key_view key) {
  const auto in = now();
  return in == nullptr ? result() : in->sealed.open_keys(key);
}

std::vector<std::uint64_t> record_names::ids() const {
  const std::scoped_lock held(mutex_);
  std::vector<std::uint64_t> all;
  all.reserve(by_id_.size());
  for (const auto& [id, ignored] : by_id_) all.push_back(id);
  return all;
}

std::uint64_t record_names::footprint() const {
  const auto in = now();
  const std::scoped_lock held(mutex_);
  constexpr std::uint64_t links = 3 * sizeof(void*);  // of an element of either table
  return (in == nullptr ? 0 : in->sealed.footprint()) + by_name_.size() * (sizeof(digest) + sizeof(std::uint64_t) + links) +
         by_id_.size() * (sizeof(std::uint64_t) + sizeof(entry) + links);
}

}  // namespace lockfast::internal
