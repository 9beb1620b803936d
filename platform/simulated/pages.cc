// pages.cc - the simulated host: heap memory, a record of each page, and no mercy for a broken contract.
#include "platform/simulated/simulated.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <vector>

#include "platform/one_look.h"
#include "platform/platform.h"

namespace lockfast {
namespace {

using platform::access;
using platform::error;
using simulated::call;

struct page_state {
  access allowed = access::none;
  bool locked = false;
  bool opened = false;  // since it was reserved or discarded
  bool hidden = false;
  bool marked = false;
  bool between_markers = false;  // in a reservation that was marked
  bool apart = false;
};

struct reserved_block {
  std::vector<page_state> pages;
  std::align_val_t alignment = {};
};

struct host {
  std::mutex mutex;
  std::map<std::byte*, reserved_block> blocks;
  std::set<std::uintptr_t> foreign_locked;
  std::set<std::uintptr_t> foreign_concealed;
  std::set<std::uintptr_t> foreign_unlockable;
  std::size_t counts[static_cast<std::size_t>(call::count_of_calls)] = {};
  std::size_t until_refusal = 0;
  bool refused = false;
  bool refuses_on = false;
  std::size_t lock_limit = SIZE_MAX;
  std::size_t hidden_limit = 0;
  std::size_t map_limit = SIZE_MAX;
  std::size_t other_maps = 0;
  std::size_t map_refusals = 0;
  std::size_t address_limit = SIZE_MAX;
  std::size_t memory_available = SIZE_MAX;
  error fork_error = 0;
  bool guard_markers = false;
  bool moves = true;
  std::map<std::byte*, std::byte*>
      hidden_twice;  // hidden pages that were moved, from where and to where, until that is vacated
  bool closing_unlocks = false;
  bool counts_maps = false;
  bool keeps_pages = false;
  bool generator = true;
  error advice_error = 0;
  std::size_t page = 4096;
  std::uint64_t random_state = 1;
  void (*unlock_observer)(const std::byte* address, std::size_t size) = nullptr;
};

host& the_host() {
  static host one;
  return one;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "simulated: %s\n", what);
  std::abort();
}

std::uintptr_t page_of(const void* address) {
  const std::size_t page = the_host().page;
  return reinterpret_cast<std::uintptr_t>(address) / page * page;
}

void counted(host& in, call which) { ++in.counts[static_cast<std::size_t>(which)]; }

// Counts a call that may refuse, and says whether this one does.
bool refuses(host& in, call which) {
  counted(in, which);
  if (in.until_refusal == 0) return false;
  --in.until_refusal;
  if (in.until_refusal != 0) return false;
  in.refused = true;
  if (in.refuses_on) in.until_refusal = 1;
  return true;
}

std::size_t locked_bytes(const host& in) {
  std::size_t locked = in.foreign_locked.size();
  for (const auto& [base, block] : in.blocks) {
    for (const page_state& page : block.pages) locked += page.locked;
  }
  return locked * in.page;
}

std::size_t reserved_bytes(const host& in) {
  std::size_t pages = 0;
  for (const auto& [base, block] : in.blocks) pages += block.pages.size();
  return pages * in.page;
}

std::size_t pages_that(const host& in, bool page_state::* are) {
  std::size_t count = 0;
  for (const auto& [base, block] : in.blocks) {
    for (const page_state& page : block.pages) count += page.*are;
  }
  return count;
}

std::size_t hidden_bytes(const host& in) { return (pages_that(in, &page_state::hidden) - in.hidden_twice.size()) * in.page; }

// Calls visit(state, address) for each page of a run that must lie in one reserved block.
template <class Visit>
void for_each_page(host& in, std::byte* address, std::size_t size, Visit visit) {
  auto after = in.blocks.upper_bound(address);
  if (after == in.blocks.begin()) fail("pages that are not reserved");
  const auto& [base, block] = *std::prev(after);
  auto& pages = std::prev(after)->second.pages;
  const auto offset = static_cast<std::size_t>(address - base);
  if (offset % in.page != 0 || size % in.page != 0 || size == 0) fail("address or size that is no multiple of a page");
  if (offset + size > block.pages.size() * in.page) fail("pages that are not reserved");
  for (std::size_t at = 0; at < size; at += in.page) visit(pages[(offset + at) / in.page], address + at);
}

// Null where nothing is reserved.
const page_state* state_at(const host& in, const std::byte* page) {
  auto after = in.blocks.upper_bound(const_cast<std::byte*>(page));
  if (after == in.blocks.begin()) return nullptr;
  const auto& [base, block] = *std::prev(after);
  const auto index = static_cast<std::size_t>(page - base) / in.page;
  return index < block.pages.size() ? &block.pages[index] : nullptr;
}

// What makes two pages beside each other two maps. Between markers all pages but those that were closed are writable and locked.
bool same_map(const page_state& one, const page_state& other) {
  const auto allowed = [](const page_state& page) { return page.marked ? access::read_write : page.allowed; };
  return allowed(one) == allowed(other) && one.locked == other.locked && !one.hidden && !other.hidden &&
         one.apart == other.apart && (one.between_markers || one.opened == other.opened);
}

std::size_t maps_of(const host& in) {
  std::size_t maps = in.other_maps;
  for (const auto& [base, block] : in.blocks) {
    maps += 1;
    for (std::size_t at = 1; at < block.pages.size(); ++at) maps += !same_map(block.pages[at - 1], block.pages[at]);
  }
  return maps;
}

// Changes pages, unless the system counts maps, and there would be more of them than it allows: then nothing is changed, false.
template <class Change>
bool change_pages(host& in, std::byte* address, std::size_t size, Change change) {
  if (!in.counts_maps) {
    for_each_page(in, address, size, change);
    return true;
  }
  std::vector<page_state> before;
  for_each_page(in, address, size, [&](const page_state& page, const std::byte*) { before.push_back(page); });
  const std::size_t maps_before = maps_of(in);
  for_each_page(in, address, size, change);
  const std::size_t maps_after = maps_of(in);
  if (maps_after <= maps_before || maps_after <= in.map_limit) return true;
  auto each = before.begin();
  for_each_page(in, address, size, [&](page_state& page, const std::byte*) { page = *each++; });
  ++in.map_refusals;
  return false;
}

// Linux moves no map when fewer than three are left (mm/mremap.c).
bool lacks_maps_to_move(host& in) {
  const bool lacks = in.counts_maps && maps_of(in) + 3 > in.map_limit;
  in.map_refusals += lacks;
  return lacks;
}

void require_wiped(const host& in, const std::byte* page, const char* what) {
  for (std::size_t at = 0; at < in.page; ++at) {
    if (page[at] != std::byte{0}) fail(what);
  }
}

}  // namespace

namespace platform {

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
    page.allowed = to;
    if (in.closing_unlocks && to == access::none && !page.hidden && !page.marked) page.locked = false;
  });
  return done ? 0 : ENOMEM;
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
    require_wiped(in, at, "unlock of pages that are not wiped");
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
  });
}

error hiding_error() { return the_host().hidden_limit == 0 ? ENOSYS : 0; }
bool may_hibernate() { return false; }

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
    if (page.allowed != access::read_write || !page.hidden) fail("a second map of pages that are not hidden");
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
    in.hidden_twice.erase(at);
    // What was moved here is in the first place all the same.
    const auto twice =
        std::find_if(in.hidden_twice.begin(), in.hidden_twice.end(), [&](const auto& each) { return each.second == at; });
    if (twice != in.hidden_twice.end()) {
      std::memcpy(twice->first, at, in.page);
      in.hidden_twice.erase(twice);
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

}  // namespace platform

namespace simulated {

void reset() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  for (std::size_t& one : in.counts) one = 0;
  in.until_refusal = 0;
  in.refused = false;
  in.lock_limit = SIZE_MAX;
  in.hidden_limit = 0;
  in.map_limit = SIZE_MAX;
  in.counts_maps = false;
  in.other_maps = 0;
  in.map_refusals = 0;
  in.address_limit = SIZE_MAX;
  in.memory_available = SIZE_MAX;
  in.fork_error = 0;
  in.guard_markers = false;
  in.moves = true;
  in.closing_unlocks = false;
  in.keeps_pages = false;
  in.advice_error = 0;
  in.foreign_unlockable.clear();
}

void refuse_nth(std::size_t n) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  in.until_refusal = n;
  in.refused = false;
  in.refuses_on = false;
}

void refuse_from(std::size_t n) {
  refuse_nth(n);
  the_host().refuses_on = true;
}

void observe_unlocks(void (*observer)(const std::byte*, std::size_t)) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  in.unlock_observer = observer;
}

bool refuses(call which) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return lockfast::refuses(in, which);
}

bool refused() { return the_host().refused; }
std::size_t count(call which) { return the_host().counts[static_cast<std::size_t>(which)]; }

std::size_t total_count() {
  std::size_t total = 0;
  for (const std::size_t one : the_host().counts) total += one;
  return total;
}

void set_lock_limit(std::size_t bytes) { the_host().lock_limit = bytes; }
void set_page_size(std::size_t bytes) { the_host().page = bytes; }
void set_hidden_limit(std::size_t bytes) { the_host().hidden_limit = bytes; }
void set_guard_markers(bool has) { the_host().guard_markers = has; }
void set_moves(bool can) { the_host().moves = can; }
void set_map_limit(std::size_t maps) { the_host().map_limit = maps; }
void count_maps(std::size_t of_others) {
  the_host().counts_maps = true;
  the_host().other_maps = of_others;
}
std::size_t map_refusals() { return the_host().map_refusals; }
void set_address_limit(std::size_t bytes) { the_host().address_limit = bytes; }
void set_memory_available(std::size_t bytes) { the_host().memory_available = bytes; }
void set_fork_error(int error) { the_host().fork_error = error; }
void set_advice_error(int error) { the_host().advice_error = error; }
void set_keeps_pages(bool does) { the_host().keeps_pages = does; }
void set_closing_unlocks(bool does) { the_host().closing_unlocks = does; }
void set_generator(bool has) { the_host().generator = has; }

std::size_t bytes_reserved() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return reserved_bytes(in);
}

std::size_t bytes_accessible() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  std::size_t pages = 0;
  for (const auto& [base, block] : in.blocks) {
    for (const page_state& page : block.pages) pages += page.allowed != access::none;
  }
  return pages * in.page;
}

std::size_t bytes_locked() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return locked_bytes(in);
}

std::size_t bytes_hidden() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return hidden_bytes(in);
}

std::size_t bytes_marked() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return pages_that(in, &page_state::marked) * in.page;
}

void lock_as_program(const void* address) { the_host().foreign_locked.insert(page_of(address)); }
void conceal_as_program(const void* address) { the_host().foreign_concealed.insert(page_of(address)); }
void set_unlockable(const void* address) { the_host().foreign_unlockable.insert(page_of(address)); }

void unlock_everything() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  in.foreign_locked.clear();
  for (auto& [base, block] : in.blocks) {
    for (page_state& page : block.pages) page.locked = false;
  }
}

bool foreign_locked(const void* address) {
  host& in = the_host();
  return in.foreign_locked.contains(page_of(address));
}

bool foreign_concealed(const void* address) {
  host& in = the_host();
  return in.foreign_concealed.contains(page_of(address));
}

}  // namespace simulated
}  // namespace lockfast
