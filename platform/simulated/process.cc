// process.cc - the simulated host beside its pages: the program's own memory, limits, random bytes, options.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "platform/simulated/host.h"

namespace lockfast::platform {

using namespace simulated;

error foreign_refusal(const std::byte*, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return size > in.lock_limit ? ENOMEM : 0;
}

foreign_pages state_of_foreign(const std::byte* address) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  const auto page = reinterpret_cast<std::uintptr_t>(address);
  return {in.page, in.foreign_locked.contains(page), in.foreign_concealed.contains(page), 0};
}

error lock_foreign(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::lock_foreign)) return ENOMEM;
  for (std::size_t at = 0; at < size; at += in.page) {
    const auto page = reinterpret_cast<std::uintptr_t>(address + at);
    if (in.foreign_unlockable.contains(page)) continue;
    // As the system's, a refusal half-way leaves the first pages locked.
    if (!in.foreign_locked.contains(page) && locked_bytes(in) + in.page > in.lock_limit) return ENOMEM;
    in.foreign_locked.insert(page);
  }
  return 0;
}

error unlock_foreign(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::unlock_foreign);
  for (std::size_t at = 0; at < size; at += in.page) in.foreign_locked.erase(reinterpret_cast<std::uintptr_t>(address + at));
  return 0;
}

error conceal(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::conceal)) return EINVAL;
  for (std::size_t at = 0; at < size; at += in.page) {
    in.foreign_concealed.insert(reinterpret_cast<std::uintptr_t>(address + at));
  }
  return 0;
}

error reveal(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::reveal);
  for (std::size_t at = 0; at < size; at += in.page) {
    in.foreign_concealed.erase(reinterpret_cast<std::uintptr_t>(address + at));
  }
  return 0;
}

void raise_lock_limit() {}
std::size_t lock_limit() { return the_host().lock_limit; }
bool may_lock(std::size_t size) { return size <= the_host().lock_limit; }
std::size_t memory_available() { return the_host().memory_available; }
std::size_t maps_used() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return in.counts_maps ? maps_of(in) : 0;
}
std::size_t map_limit() { return the_host().map_limit; }
bool locks_are_real() { return true; }

// A fixed sequence (Steele, Lea and Flood 2014), so that a test that fails does so again.
error try_random(std::span<std::byte> out) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::random) || !in.generator) return EPERM;
  for (std::byte& byte : out) {
    std::uint64_t mixed = in.random_state += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebU;
    byte = static_cast<std::byte>(mixed ^ mixed >> 31);
  }
  return 0;
}

void overwrite(std::span<std::byte> over) { std::fill(over.begin(), over.end(), std::byte{0xff}); }

bool single_threaded() { return false; }

const char* options_variable() { return std::getenv("LOCKFAST_OPTIONS"); }

}  // namespace lockfast::platform
