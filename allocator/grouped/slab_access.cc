// slab_access.cc - the access of single secrets of a slab, as far as the pages that they share allow it.
#include <algorithm>
#include <bit>

#include "allocator/grouped/slab.h"

namespace lockfast::internal {

using platform::access;

slab::pages slab::pages_of(std::size_t index) const {
  const std::size_t page = platform::page_size();
  const std::size_t begin = lead() + index * stride_;
  return {begin / page, (begin + slot_size() - 1) / page};
}

access slab::page_access(std::size_t page) const {
  if ((unread_ >> page & 1) != 0) return access::none;
  return (unwritten_ >> page & 1) != 0 ? access::read : access::read_write;
}

void slab::note_page_access(std::size_t page, access to) {
  const std::uint64_t bit = std::uint64_t{1} << page;
  unread_ = to == access::none ? unread_ | bit : unread_ & ~bit;
  unwritten_ = to == access::read_write ? unwritten_ & ~bit : unwritten_ | bit;
}

access slab::wanted_page_access(std::size_t page) const {
  const std::size_t size = platform::page_size();
  const std::size_t begin = page * size;
  const std::size_t first = begin < lead() ? 0 : (begin - lead()) / stride_;
  // A slot that lacks the next page yet will be withheld once it is there.
  const std::size_t end = std::min((begin + size - 1 - lead()) / stride_ + 1, slot_count());
  // Where closing takes the lock off, it does more harm than good.
  if (platform::closed_lock_error() != 0) return access::read_write;
  std::size_t closed = 0;
  access widest = access::none;
  for (std::size_t index = first; index < end; ++index) {
    const slot::header known = header(index);
    if (!known.is_live() || known.access() == access::read_write) continue;
    ++closed;
    widest = std::max(widest, known.access());
  }
  if (closed == 0) return access::read_write;
  const auto waiting =
      std::count_if(free_, free_ + free_count_ + withheld_, [=](std::size_t index) { return first <= index && index < end; });
  return closed + static_cast<std::size_t>(waiting) == end - first ? widest : access::read_write;
}

bool slab::lies_in_closed_page(std::size_t index) const {
  const pages its = pages_of(index);
  for (std::size_t page = its.first; page <= its.last; ++page) {
    if (page_access(page) != access::read_write) return true;
  }
  return false;
}

void slab::sort_waiting() {
  const std::size_t waiting = free_count_ + withheld_;
  const auto* const behind =
      std::partition(free_, free_ + waiting, [this](std::size_t index) { return !lies_in_closed_page(index); });
  free_count_ = static_cast<std::size_t>(behind - free_);
  withheld_ = waiting - free_count_;
}

// What is noted comes first: a signal handler that wipes closes what is noted as closed when it is done.
platform::error slab::settle_page(std::size_t page) {
  const access before = page_access(page);
  const access wanted = wanted_page_access(page);
  if (wanted == before) return 0;
  const std::size_t size = platform::page_size();
  note_page_access(page, wanted);
  const auto refusal = platform::protect(run_ + page * size, size, wanted);
  if (refusal != 0) note_page_access(page, before);
  sort_waiting();
  return refusal;
}

platform::error slab::set_access(std::size_t index, access to) {
  const slot::header before = header(index);
  if (before.access() == to) return 0;
  const auto [first, last] = pages_of(index);
  const auto settle = [&] {
    platform::error refusal = 0;
    for (std::size_t page = first; refusal == 0 && page <= last; ++page) refusal = settle_page(page);
    return refusal;
  };
  const bool opens = before.access() == access::none;
  if (!opens && !intact(index)) end(breach::broken_canary);
  slots_[index].write(before.with_access(to));
  if (const auto refusal = settle(); refusal != 0) {
    slots_[index].write(before);
    if (settle() != 0) end(breach::access_refused);
    return refusal;
  }
  if (opens && !intact(index)) end(breach::broken_canary);
  return 0;
}

bool slab::access_in_force(std::size_t index) const {
  const slot::header known = header(index);
  if (size_of(known) == 0) return true;
  const std::size_t page_size = platform::page_size();
  const auto begin = static_cast<std::size_t>(place(index) + known.shift() - run_);
  for (std::size_t page = begin / page_size; page <= (begin + size_of(known) - 1) / page_size; ++page) {
    if (page_access(page) > known.access()) return false;
  }
  return true;
}

void slab::open_pages() {
  if (unwritten_ != 0 && protect(access::read_write) != 0) end(breach::access_refused);
}

void slab::close_pages() {
  if (close_noted_pages() != 0) end(breach::access_refused);
}

platform::error slab::close_noted_pages() {
  const std::size_t size = platform::page_size();
  platform::error refusal = 0;
  for (std::uint64_t left = unwritten_; left != 0; left &= left - 1) {
    const auto page = static_cast<std::size_t>(std::countr_zero(left));
    const access to = page_access(page);
    const auto refused = to == access::read_write ? 0 : platform::protect(run_ + page * size, size, to);
    if (refused != 0) refusal = refused;
  }
  return refusal;
}

bool slab::end_withholding() {
  const std::size_t size = platform::page_size();
  for (std::uint64_t left = unwritten_; left != 0; left &= left - 1) {
    const auto page = static_cast<std::size_t>(std::countr_zero(left));
    const bool withholds = std::any_of(free_ + free_count_, free_ + free_count_ + withheld_, [&](std::size_t index) {
      return pages_of(index).first <= page && page <= pages_of(index).last;
    });
    if (!withholds) continue;
    const access before = page_access(page);
    note_page_access(page, access::read_write);
    if (platform::protect(run_ + page * size, size, access::read_write) != 0) note_page_access(page, before);
  }
  sort_waiting();
  return free_count_ != 0;
}

}  // namespace lockfast::internal
