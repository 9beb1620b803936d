// ram_memory.cc - one isolated secret.
#include <lockfast/boojum.hpp>

#include <utility>

namespace lockfast {

std::expected<ram_memory, memory_error> ram_memory::create(buffer<std::byte> secret, options) {
  if (secret.empty()) return std::unexpected(memory_error::wiped);
  return ram_memory(std::move(secret));
}

std::expected<ram_memory, memory_error> ram_memory::update(buffer<std::byte> next) && {
  auto made = secret_.empty() ? std::unexpected(memory_error::wiped) : create(std::move(next));
  if (made) (void)wipe();
  return made;
}

std::expected<buffer<std::byte>, memory_error> ram_memory::unlock() const { return secret_.copy(); }

std::expected<ram_memory, memory_error> ram_memory::copy() const {
  auto copied = secret_.copy();
  if (!copied) return std::unexpected(copied.error());
  return ram_memory(std::move(*copied));
}

std::expected<void, memory_error> ram_memory::wipe() {
  const buffer<std::byte> gone = std::move(secret_);
  return {};
}

}  // namespace lockfast
