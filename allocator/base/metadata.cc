// metadata.cc - a chunk at a time from the system, cut from its start.
#include "allocator/base/metadata.h"

#include "allocator/base/relaxed.h"
#include "allocator/base/scoped_lock.h"

namespace lockfast::internal {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t max_chunk = std::size_t{256} * 1024;
constexpr std::size_t min_chunk = std::size_t{4} * 1024;

struct chunk {
  std::byte* next = nullptr;
  std::size_t left = 0;
};

constinit chunk current;
constinit relaxed<std::size_t> reserved = 0;  // bytes; written under the mutex alone
constinit platform::mutex current_mutex;

bool refill(std::size_t size, std::size_t chunk_size) {
  const std::size_t page = platform::page_size();
  const std::size_t wanted = size > chunk_size ? size : chunk_size;
  const std::size_t usable = (wanted + page - 1) / page * page;
  const auto made = platform::reserve(usable + 2 * page, page, platform::fork_policy::inherit);
  if (made.address == nullptr) return false;
  if (platform::protect(made.address + page, usable, platform::access::read_write) != 0) {
    platform::release(made.address, usable + 2 * page);
    return false;
  }
  platform::seal(made.address, usable + 2 * page);
  current.next = made.address + page;
  current.left = usable;
  reserved = reserved + usable + 2 * page;
  return true;
}

// A chunk that the system has room for.
bool refill(std::size_t size) {
  for (std::size_t chunk_size = max_chunk; chunk_size >= min_chunk; chunk_size /= 4) {
    if (refill(size, chunk_size)) return true;
  }
  return false;
}

}  // namespace

std::byte* metadata::take(std::size_t size) {
  size = (size + alignment - 1) / alignment * alignment;
  const scoped_lock held(current_mutex);
  if (size > current.left && !refill(size)) return nullptr;
  std::byte* const taken = current.next;
  current.next += size;
  current.left -= size;
  return taken;
}

std::size_t metadata::bytes_reserved() { return reserved; }

platform::mutex& metadata::mutex() { return current_mutex; }

}  // namespace lockfast::internal
