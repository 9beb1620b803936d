// sealed_record.cc - the memory of records.
#include "allocator/isolated/sealed_record.h"

#include <bit>

#include "allocator/base/bytes.h"
#include "allocator/base/metadata.h"
#include "allocator/base/relaxed.h"
#include "allocator/base/scoped_lock.h"

namespace lockfast::internal {
namespace {

// Classes are multiples of 8 up to 64 bytes, then eight to each doubling.
constexpr std::size_t min_class = 64;
constexpr std::size_t steps = 8;
constexpr std::size_t max_class = std::size_t{64} << 10;
constexpr std::size_t class_count = steps + 1 + steps * std::countr_zero(max_class / min_class);
// What is cut at once: of small records as many as fill a page.
constexpr std::size_t cut_size = 4096;

struct free_record {
  free_record* next;
};

constinit platform::mutex records_mutex;
constinit free_record* free_records[class_count] = {};
constinit relaxed<std::size_t> own_pages = 0;  // bytes; written under the mutex alone

std::size_t class_of(std::size_t bytes) {
  if (bytes <= min_class) return (bytes + 7) / 8;
  const auto doubling = static_cast<std::size_t>(std::bit_width((bytes - 1) / min_class) - 1);
  // The width is 1 at least. NOLINTNEXTLINE(clang-analyzer-core.BitwiseShift)
  const std::size_t step = (min_class / steps) << doubling;
  return steps * doubling + (bytes + step - 1) / step;
}

std::size_t bytes_of(std::size_t index) {
  if (index <= steps) return index * 8;
  const std::size_t doubling = (index - 1) / steps - 1;
  return (index - steps * doubling) * ((min_class / steps) << doubling);
}

// Requires the mutex.
free_record* cut(std::size_t index) {
  const std::size_t bytes = bytes_of(index);
  const std::size_t count = bytes < cut_size ? cut_size / bytes : 1;
  std::byte* const taken = metadata::take(count * bytes);
  if (taken == nullptr) return nullptr;
  for (std::size_t at = count; at-- > 0;) {
    auto* const one = static_cast<free_record*>(static_cast<void*>(taken + at * bytes));
    one->next = free_records[index];
    free_records[index] = one;
  }
  return free_records[index];
}

std::size_t whole_pages(std::size_t bytes) {
  const std::size_t page = platform::page_size();
  return (bytes + page - 1) / page * page;
}

}  // namespace

sealed_record* sealed_record::take(std::size_t size) {
  const std::size_t bytes = sizeof(sealed_record) + size;
  if (bytes > max_class) {
    const std::size_t pages = whole_pages(bytes);
    const auto made = platform::reserve(pages, platform::page_size(), platform::fork_policy::inherit);
    if (made.address == nullptr) return nullptr;
    if (platform::protect(made.address, pages, platform::access::read_write) != 0) {
      platform::release(made.address, pages);
      return nullptr;
    }
    const scoped_lock held(records_mutex);
    own_pages = own_pages + pages;
    return static_cast<sealed_record*>(static_cast<void*>(made.address));
  }
  const std::size_t index = class_of(bytes);
  const scoped_lock held(records_mutex);
  free_record* one = free_records[index];
  if (one == nullptr) one = cut(index);
  if (one == nullptr) return nullptr;
  free_records[index] = one->next;
  return static_cast<sealed_record*>(static_cast<void*>(one));
}

void sealed_record::give_back(sealed_record* one, std::size_t size) {
  const std::size_t bytes = sizeof(sealed_record) + size;
  wipe(one, bytes);
  if (bytes > max_class) {
    const std::size_t pages = whole_pages(bytes);
    platform::release(reinterpret_cast<std::byte*>(one), pages);
    const scoped_lock held(records_mutex);
    own_pages = own_pages - pages;
    return;
  }
  const std::size_t index = class_of(bytes);
  const scoped_lock held(records_mutex);
  auto* const freed = static_cast<free_record*>(static_cast<void*>(one));
  freed->next = free_records[index];
  free_records[index] = freed;
}

std::size_t sealed_record::bytes_reserved() { return own_pages; }

platform::mutex& sealed_record::mutex() { return records_mutex; }

}  // namespace lockfast::internal
