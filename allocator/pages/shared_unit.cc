// shared_unit.cc - the table of a shared unit's pages.
#include "allocator/pages/shared_unit.h"

#include <algorithm>
#include <bit>
#include <new>

#include "allocator/base/metadata.h"

namespace lockfast::internal {

constinit shared_unit* shared_unit::unused_ = nullptr;

shared_unit* shared_unit::make() {
  if (shared_unit* const unused = unused_; unused != nullptr) {
    unused_ = unused->next_unused_;
    return unused;
  }
  const std::size_t page = platform::page_size();
  std::byte* const record = metadata::take(sizeof(shared_unit));
  slot* const pages = metadata::take_array<slot>(region_unit / page);
  if (record == nullptr || pages == nullptr) return nullptr;
  auto* const made = new (record) shared_unit;
  made->pages_ = pages;
  made->page_shift_ = static_cast<unsigned>(std::countr_zero(page));
  return made;
}

void shared_unit::give_back() {
  next_unused_ = unused_;
  unused_ = this;
}

std::size_t shared_unit::store_in(std::uintptr_t unit, const std::byte* base, std::size_t size, region* holder) {
  const auto begin = reinterpret_cast<std::uintptr_t>(base);
  // Offsets, since the last unit ends where addresses do.
  const std::uintptr_t from = begin > unit ? begin - unit : 0;
  const std::uintptr_t to = std::min(begin + size - unit, std::uintptr_t{region_unit});
  for (std::uintptr_t page = from >> page_shift_; page != to >> page_shift_; ++page) {
    pages_[page].store(holder, std::memory_order_release);
  }
  return (to - from) >> page_shift_;
}

void shared_unit::enter_in(std::uintptr_t unit, const std::byte* base, std::size_t size, region& holder) {
  used_ += store_in(unit, base, size, &holder);
}

void shared_unit::erase_in(std::uintptr_t unit, const std::byte* base, std::size_t size) {
  used_ -= store_in(unit, base, size, nullptr);
}

}  // namespace lockfast::internal
