// non_contiguous_memory.cc - the interface over a split secret.
#include <lockfast/boojum.hpp>

#include <utility>

#include "boojum/memory/consume.h"
#include "boojum/memory/error_note.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/split/split_secret.h"

namespace lockfast {

using internal::split_secret;

non_contiguous_memory::non_contiguous_memory(std::shared_ptr<split_secret> split) : split_(std::move(split)) {}
non_contiguous_memory::non_contiguous_memory(non_contiguous_memory&&) noexcept = default;

// The shares go now, not when the refresher has let go of them.
non_contiguous_memory& non_contiguous_memory::operator=(non_contiguous_memory&& other) noexcept {
  if (this != &other) {
    (void)wipe();
    split_ = std::move(other.split_);
  }
  return *this;
}

non_contiguous_memory::~non_contiguous_memory() { (void)wipe(); }

std::expected<non_contiguous_memory, memory_error> non_contiguous_memory::create(buffer<std::byte> secret, options wanted) {
  return internal::noting([&]() -> std::expected<non_contiguous_memory, memory_error> {
    auto made = internal::consume(std::move(secret),
                                  [&](std::span<const std::byte> bytes) { return split_secret::split(bytes, wanted); });
    if (!made) return std::unexpected(made.error());
    return non_contiguous_memory(std::move(*made));
  });
}

// The default options name their places in a block of the ordinary heap.
std::expected<non_contiguous_memory, memory_error> non_contiguous_memory::create(buffer<std::byte> secret) {
  return internal::catch_bad_alloc([&] { return create(std::move(secret), options()); });
}

std::expected<non_contiguous_memory, memory_error> non_contiguous_memory::update(buffer<std::byte> next) && {
  if (split_ == nullptr) return std::unexpected(memory_error::wiped);
  auto made = internal::catch_bad_alloc([&] { return create(std::move(next), split_->chosen()); });
  if (made) (void)wipe();
  return made;
}

std::expected<buffer<std::byte>, memory_error> non_contiguous_memory::unlock() const {
  if (split_ == nullptr) return std::unexpected(memory_error::wiped);
  return internal::noting([&] { return split_->join(); });
}

std::expected<void, memory_error> non_contiguous_memory::refresh(refresh_target where) const {
  if (split_ == nullptr) return std::unexpected(memory_error::wiped);
  return internal::noting([&] { return split_->refresh(where); });
}

std::expected<non_contiguous_memory, memory_error> non_contiguous_memory::copy() const {
  if (split_ == nullptr) return std::unexpected(memory_error::wiped);
  auto made = internal::noting([&] { return split_->copy(); });
  if (!made) return std::unexpected(made.error());
  return non_contiguous_memory(std::move(*made));
}

std::expected<void, memory_error> non_contiguous_memory::wipe() {
  const auto gone = std::move(split_);
  return gone == nullptr ? std::expected<void, memory_error>() : gone->wipe();
}

}  // namespace lockfast
