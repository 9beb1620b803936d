// pages.cc - the simulated host: heap memory, a record of each page, and no mercy for a broken contract.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/one_look.h"
#include "platform/simulated/host.h"

namespace lockfast::platform {

using namespace simulated;

std::size_t page_size() { return the_host().page; }

reservation reserve(std::size_t size, std::size_t alignment, fork_policy policy) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  reservation made;
  // As the real hosts', an alignment takes room for as much again.
  const std::size_t surplus = alignment > in.page ? alignment : 0;
  const bool lacks_maps = in.counts_maps && maps_of(in) >= in.map_limit;
  if (refuses(in, call::reserve) || reserved_bytes(in) + size + surplus > in.address_limit || lacks_maps) {
    made.refusal = ENOMEM;
    return made;
  }
  if (alignment < in.page) alignment = in.page;
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  made.address = static_cast<std::byte*>(operator new(whole, std::align_val_t(alignment), std::nothrow));
  if (made.address == nullptr) {
    made.refusal = ENOMEM;
    return made;
  }
  if (policy != fork_policy::inherit) made.fork = in.fork_error;
  reserved_block& block = in.blocks[made.address];
  block.pages.resize(size / in.page);
  block.alignment = std::align_val_t(alignment);
  return made;
}

void release(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::release);
  if (in.unlock_observer != nullptr) in.unlock_observer(address, size);
  for_each_page(in, address, size, [&](const page_state& page, const std::byte* at) {
    if (page.locked && !page.marked) fail("release of locked pages");
    if (page.opened) require_wiped(in, at, "release of pages that are not wiped");
  });
  const auto alignment = in.blocks[address].alignment;
  in.blocks.erase(address);
  operator delete(address, alignment);
}

error protect(std::byte* address, std::size_t size, access to) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (to == access::none) {
    counted(in, call::protect);
  } else if (refuses(in, call::protect)) {
    return ENOMEM;
  }
  const bool done = change_pages(in, address, size, [&](page_state& page, std::byte* at) {
    if (!page.opened && to != access::none) std::memset(at, 0, in.page);
    page.opened |= to != access::none;
    if (to == access::none && page.discarded) {
      require_wiped(in, at, "a closing of discarded pages that were written to");
      page.opened = false;
    }
    page.discarded = false;
    page.allowed = to;
    if (in.closing_unlocks && to == access::none && !page.hidden && !page.marked) page.locked = false;
  });
  return done ? 0 : ENOMEM;
}

error wipe_closed(std::span<std::byte> over) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::wipe_closed)) return EPERM;
  std::memset(over.data(), 0, over.size());
  return 0;
}

key take_key() { return no_key; }
error protect_by_key(std::byte*, std::size_t, access, key) { fail("a protection key where there is none"); }
void set_key_access(key, access) { fail("a protection key where there is none"); }
access key_access(key) { fail("a protection key where there is none"); }

error lock(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::lock) || locked_bytes(in) + size > in.lock_limit) return ENOMEM;
  const bool done = change_pages(in, address, size, [&](page_state& page, const std::byte*) {
    if (page.allowed == access::none) fail("lock of inaccessible pages");
    page.locked = true;
    page.discarded = false;
  });
  return done ? 0 : ENOMEM;
}

error lock_briefly(std::byte* address, std::size_t size) { return lock(address, size); }

one_look::one_look() = default;
one_look::~one_look() = default;

error closed_lock_error() { return the_host().closing_unlocks ? ENOTSUP : 0; }

error renew_lock(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  std::size_t missing = 0;
  for_each_page(in, address, size, [&](const page_state& page, const std::byte*) { missing += page.locked ? 0 : in.page; });
  if (refuses(in, call::renew_lock) || (missing != 0 && locked_bytes(in) + missing > in.lock_limit)) {
    return missing == 0 ? 0 : ENOMEM;
  }
  const bool done = change_pages(in, address, size, [&](page_state& page, const std::byte*) {
    if (page.hidden) fail("lock of hidden pages");
    page.locked = true;
  });
  return done ? 0 : ENOMEM;
}

hold lock_held(const std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::lock_held);
  if (in.lock_held_observer != nullptr) in.lock_held_observer(address, size);
  std::size_t locked = 0;
  for (std::size_t at = 0; at < size; at += in.page) {
    const page_state* const reserved = state_at(in, address + at);
    locked +=
        reserved != nullptr ? reserved->locked : in.foreign_locked.contains(reinterpret_cast<std::uintptr_t>(address + at));
  }
  return locked == 0 ? hold::none : locked * in.page == size ? hold::all : hold::some;
}

error unlock(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::unlock);
  if (in.keeps_pages) return ENOMEM;
  if (in.unlock_observer != nullptr) in.unlock_observer(address, size);
  const bool done = change_pages(in, address, size, [&](page_state& page, const std::byte* at) {
    // What was never opened holds what the heap left there, and is zero once it is opened.
    if (page.opened) require_wiped(in, at, "unlock of pages that are not wiped");
    page.locked = false;
  });
  return done ? 0 : ENOMEM;
}

void discard(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::discard);
  for_each_page(in, address, size, [&](page_state& page, const std::byte* at) {
    if (page.locked) fail("discard of locked pages");
    if (page.opened) require_wiped(in, at, "discard of pages that are not wiped");
    page.opened = page.allowed != access::none;
    page.discarded = page.opened;
  });
}

bool discards_before_closing() { return !the_host().closing_unlocks; }

error hiding_error() { return the_host().hidden_limit == 0 ? ENOSYS : 0; }
bool may_hibernate() { return the_host().hibernates; }

error hide(std::byte* address, std::size_t size, fork_policy, reservation& again) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (in.hidden_limit == 0) return ENOSYS;
  if (refuses(in, call::hide) || hidden_bytes(in) + size > in.hidden_limit) {
    again.dump = in.advice_error;
    again.fork = in.advice_error;
    return EAGAIN;
  }
  const bool done = change_pages(in, address, size, [&](page_state& page, std::byte* at) {
    if (page.allowed != access::none || page.locked || page.marked || page.hidden) fail("hiding of pages that are in use");
    std::memset(at, 0, in.page);
    page = {.allowed = access::read_write, .opened = true, .hidden = true};
  });
  return done ? 0 : ENOMEM;
}

error unhide(std::byte* address, std::size_t size, fork_policy, reservation& again) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::unhide);
  if (in.keeps_pages) return EAGAIN;
  again.dump = in.advice_error;
  again.fork = in.advice_error;
  for_each_page(in, address, size, [&](page_state& page, const std::byte* at) {
    if (!page.hidden) fail("unhiding of pages that are not hidden");
    require_wiped(in, at, "unhiding of pages that are not wiped");
    page = {};
  });
  return 0;
}

error move(std::byte* from, std::byte* to, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (!in.moves) return ENOTSUP;
  if (refuses(in, call::move) || lacks_maps_to_move(in)) return ENOMEM;
  for_each_page(in, from, size, [&](page_state& page, std::byte* at) {
    if (page.allowed != access::read_write || !page.opened) fail("move of pages that are not accessible");
    std::byte* const over = to + (at - from);
    for_each_page(in, over, in.page, [&](page_state& replaced, std::byte* there) {
      if (replaced.allowed != access::none || replaced.locked || replaced.marked || replaced.hidden)
        fail("move over pages in use");
      std::memcpy(there, at, in.page);
      std::memset(at, 0, in.page);
      replaced = page;
    });
    if (page.hidden) in.hidden_twice[at] = over;
    page.locked = false;
  });
  return 0;
}

error map_hidden_twice(std::byte* from, std::byte* to, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (!in.moves) return ENOTSUP;
  if (refuses(in, call::map_hidden_twice) || lacks_maps_to_move(in)) return ENOMEM;
  if (hidden_bytes(in) + in.hidden_twice.size() * in.page + size > in.hidden_limit) return EAGAIN;
  for_each_page(in, from, size, [&](const page_state& page, std::byte* at) {
    if (!page.hidden) fail("a second map of pages that are not hidden");
    std::byte* const over = to + (at - from);
    for_each_page(in, over, in.page, [&](page_state& replaced, std::byte* there) {
      if (replaced.allowed != access::none || replaced.locked || replaced.marked || replaced.hidden)
        fail("a map over pages in use");
      std::memcpy(there, at, in.page);
      replaced = page;
    });
    in.hidden_twice[at] = over;
  });
  return 0;
}

error vacate(std::byte* address, std::size_t size, std::byte* blank, fork_policy, reservation& again) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (!in.moves) return ENOTSUP;
  if (refuses(in, call::vacate)) return ENOMEM;
  again.dump = in.advice_error;
  again.fork = in.advice_error;
  for_each_page(in, blank, in.page, [&](const page_state& page, const std::byte*) {
    if (page.opened || page.locked || page.hidden || page.allowed != access::none) fail("a blank page that was used");
  });
  for_each_page(in, address, size, [&](page_state& page, std::byte* at) {
    if (page.marked) fail("vacating of a marker");
    // What was mapped twice, or moved, is in the other place.
    const auto first = in.hidden_twice.find(at);
    const auto second =
        std::find_if(in.hidden_twice.begin(), in.hidden_twice.end(), [&](const auto& each) { return each.second == at; });
    if (first != in.hidden_twice.end()) {
      std::memset(at, 0, in.page);
      in.hidden_twice.erase(first);
    } else if (second != in.hidden_twice.end()) {
      std::memcpy(second->first, at, in.page);
      in.hidden_twice.erase(second);
    } else {
      require_wiped(in, at, "vacating of pages that are not wiped");
    }
    page = {};
  });
  return 0;
}

std::byte* map_shared_hidden(std::size_t) { return nullptr; }
error move_hidden(std::byte*, std::byte*, std::size_t) { return ENOMEM; }

bool has_guard_markers() { return the_host().guard_markers; }

error mark(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (!in.guard_markers) return EINVAL;
  if (refuses(in, call::mark) || locked_bytes(in) + size > in.lock_limit) return ENOMEM;
  for_each_page(in, address, size, [&](page_state& page, const std::byte*) {
    if (page.opened || page.locked || page.hidden) fail("markers on pages that are in use");
    page = {.locked = true, .marked = true, .between_markers = true};
  });
  return 0;
}

error unmark(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::unmark)) return ENOMEM;
  for_each_page(in, address, size, [&](page_state& page, std::byte* at) {
    if (!page.marked) fail("no marker to take off");
    std::memset(at, 0, in.page);
    page.allowed = access::read_write;
    page.opened = true;
    page.marked = false;
  });
  return 0;
}

error mark_again(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  counted(in, call::mark_again);
  // The lock is taken off first, for which maps may be short; and it may be refused then.
  const bool done = change_pages(in, address, size, [&](page_state& page, const std::byte* at) {
    if (page.marked) fail("markers put on pages that had some");
    require_wiped(in, at, "markers on pages that are not wiped");
    page = {.marked = true, .between_markers = true, .apart = page.apart};
  });
  if (!done) return ENOMEM;
  const bool locks = locked_bytes(in) + size <= in.lock_limit;
  for_each_page(in, address, size, [&](page_state& page, const std::byte*) {
    page.locked = locks;
    page.apart = false;
  });
  return 0;
}

error set_apart(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  if (refuses(in, call::set_apart)) return ENOMEM;
  const bool done = change_pages(in, address, size, [&](page_state& page, const std::byte*) {
    if (!page.between_markers) fail("pages set apart that are not between markers");
    page.apart = true;
  });
  return done ? 0 : ENOMEM;
}

void join_again(std::byte* address, std::size_t size) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  for_each_page(in, address, size, [&](page_state& page, const std::byte*) { page.apart = false; });
}

error lock_marked_again(std::byte*, std::size_t) { return 0; }

void seal(std::byte*, std::size_t) {}

error lock_again(std::byte* address, std::size_t size) { return lock(address, size); }

reservation reserve_again(std::byte* address, std::size_t, fork_policy) {
  reservation made;
  made.address = address;
  return made;
}

reservation reserve_over(std::byte* address, std::size_t size, fork_policy) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  reservation made;
  if (refuses(in, call::reserve_over)) {
    made.refusal = ENOMEM;
    return made;
  }
  for_each_page(in, address, size, [&](page_state& page, const std::byte*) {
    if (page.marked) fail("pages reserved over a marker");
    page = {};
  });
  made.address = address;
  return made;
}

}  // namespace lockfast::platform
