// grouped_heap.cc - what an allocation or release does that its thread's cache cannot serve; what concerns all grouped secrets.
#include "allocator/grouped/grouped_heap.h"

#include <cerrno>
#include <iterator>
#include <new>

#include "allocator/base/metadata.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/grouped/fast_path.h"
#include "allocator/pages/lock_watch.h"
#include "platform/access_checker.h"
#include "platform/thread_local.h"

namespace lockfast::internal {
namespace {

std::string_view state_of(const slab& one) {
  if (one.opened_bytes() == 0) return "unused";
  if (one.absent_count != 0) return "absent";
  return one.hidden() ? "hidden" : one.lock_refusal() == 0 ? "locked" : "unlocked";
}

}  // namespace
namespace {

// Set when a thread's cache was drained at its end: whatever the thread still frees then goes to the lists at once.
LOCKFAST_OF_THREAD bool thread_is_ending[family_count] = {};

}  // namespace

// A size class begins where the one below it ends, and is divided by every power of two that divides a size in between: so the
// alignment of its capacity is one that suits each size of the class.
std::size_t grouped_heap::natural_alignment(std::size_t capacity) const {
  const std::size_t divisor = capacity & (0 - capacity);
  return divisor < policy_.natural_alignment ? divisor : policy_.natural_alignment;
}

void grouped_heap::start(const policy& chosen) {
  policy_ = chosen;
  space_.start(chosen.fork);
  for (auto& arena : lists_) {
    for (std::size_t index = 0; index < size_class::count; ++index) {
      arena[index].start({.space = &space_,
                          .capacity = size_class::capacity(index),
                          .alignment = natural_alignment(size_class::capacity(index)),
                          .class_index = static_cast<std::uint8_t>(index),
                          .family = family_,
                          .signal = chosen.signal,
                          .within = nullptr,
                          .lock_required = chosen.lock_required,
                          .hide_error = chosen.hide_error,
                          .protection_key = platform::default_key});
    }
  }
}

std::size_t grouped_heap::depth_of(std::size_t class_index) const {
  const std::size_t fitting = policy_.cache_bytes / (size_class::capacity(class_index) + slab::overhead);
  if (fitting < cache_bin::min_depth) return cache_bin::min_depth;
  return fitting < cache_bin::max_depth ? fitting : cache_bin::max_depth;
}

thread_cache& grouped_heap::cache_of_thread() {
  thread_cache*& mine = platform::of_thread(thread_caches)[family_];
  if (mine != &no_thread_cache || !policy_.thread_caches || platform::of_thread(thread_is_ending)[family_]) return *mine;
  const scoped_lock held(caches_mutex_);
  thread_cache* taken = unused_caches_;
  if (taken != nullptr) {
    unused_caches_ = taken->next_unused;
  } else if (std::byte* const record = metadata::take(sizeof(thread_cache)); record != nullptr) {
    taken = new (record) thread_cache;
    taken->next = caches_;
    caches_ = taken;
  } else {
    return no_thread_cache;
  }
  mine = taken;
  platform::expect_thread_exit();
  return *taken;
}

std::size_t grouped_heap::take_batch(slot_ref* out, std::size_t most, std::size_t class_index, std::size_t arena,
                                     slab_bin::growth allowed, platform::error& refusal) {
  std::size_t taken = lists_[arena][class_index].take(out, most, allowed, refusal);
  for (std::size_t other = 0; taken == 0 && other < arena_count; ++other) {
    platform::error nothing_free = 0;
    taken = lists_[other][class_index].take(out, most, slab_bin::growth::none, nothing_free);
  }
  return taken;
}

bool grouped_heap::take_slot(slot_ref& out, std::size_t class_index, std::size_t arena, slab_bin::growth allowed,
                             platform::error& refusal) {
  thread_cache& mine = cache_of_thread();
  cache_bin* const bin = mine.ensure_bin(family_, class_index, depth_of(class_index));
  if (bin == nullptr) return take_batch(&out, 1, class_index, arena, allowed, refusal) == 1;
  std::size_t taken = 0;
  const auto take_more = [&] {
    slot_ref batch[cache_bin::max_batch];
    bin->note_asked();
    taken = take_batch(batch, bin->wanted(), class_index, arena, allowed, refusal);
    bin->add(batch, taken);
  };
  if (bin->wants_more()) take_more();
  if (bin->take(out)) return true;
  if (!bin->make_ready(mine.random)) {
    take_more();
    if (!bin->make_ready(mine.random)) {
      // A shortage, or a batch so small that it leaves no other slot, ends the rest of what was freed here, or not.
      if (bin->empty() || (taken == 0 && policy_.quarantine_holds && !bin->any_rested())) return false;
      out = bin->take_at_shortage(mine.random);
      return true;
    }
  }
  return bin->take(out);
}

std::byte* grouped_heap::allocate_cached(std::uint8_t family, std::size_t size) {
  if (size > size_class::max_capacity) return nullptr;
  thread_cache& mine = *platform::of_thread(thread_caches)[family];
  cache_bin& bin = mine.bin(slab::bin_of(family, size_class::of(size)));
  slot_ref taken;
  if (!bin.take(taken)) {
    if (&bin == &no_cache_bin || !bin.make_ready(mine.random) || bin.wants_more() || !bin.take(taken)) return nullptr;
  }
  return taken.in->fast_bin_index != slab::no_bin ? taken.in->occupy_fast(taken.index, size)
                                                  : taken.in->occupy(taken.index, size, 0, 0);
}

allocated grouped_heap::allocate(std::size_t size, std::size_t alignment, int value, std::size_t arena,
                                 slab_bin::growth allowed) {
  slot_ref got = {};
  platform::error refusal = 0;
  if (!take_slot(got, size_class::of(size + shift_room(alignment)), arena, allowed, refusal)) return {nullptr, refusal};
  const auto place = reinterpret_cast<std::uintptr_t>(got.in->place(got.index));
  return {got.in->occupy(got.index, size, (0 - place) & (alignment - 1), value), 0};
}

bool grouped_heap::deallocate_cached(std::uint8_t family, std::byte* secret) {
  thread_cache& mine = *platform::of_thread(thread_caches)[family];
  slab* const in = &mine.slab_near(secret);
  const bool lacked_room = !mine.bin(in->bin_index).has_room();
  std::size_t index = 0;
  if (in->owns(secret) && make_room(mine, *in)) {
    if (lacked_room && deallocate_fast(family, secret)) return true;
    if (in->vacate(secret, index)) {
      mine.bin(in->bin_index).rest({in, index});
      return true;
    }
  }
  // A checker is told of a release on the longer way; no slab is noted to be near then.
  if (platform::has_access_checker()) return false;
  region* const holder = region::holding(secret);
  if (holder == nullptr || holder->holds() != region::kind::slabs || &mine == &no_thread_cache) return false;
  slab* const found = static_cast<slab_region*>(holder)->at(secret);
  if (found == nullptr || found == in) return false;
  mine.note_near(secret, *found);
  if (!make_room(mine, *found) || !found->vacate(secret, index)) return false;
  mine.bin(found->bin_index).rest({found, index});
  return true;
}

bool grouped_heap::make_room(thread_cache& mine, const slab& in) {
  cache_bin& bin = mine.bin(in.bin_index);
  return bin.has_room() || (&bin != &no_cache_bin && bin.make_room());
}

void grouped_heap::deallocate(slab& in, const std::byte* secret) {
  const std::size_t index = claim(in, secret);
  if (in.within == nullptr && in.absent_count == 0) (void)open(in, index);
  if (in.bin_index == slab::no_bin) {
    deallocate_uncached(in, index);
    return;
  }
  in.vacate(index);
  keep({&in, index});
}

void grouped_heap::deallocate_uncached(slab& in, std::size_t index) {
  count_frees(1);
  if (in.absent_count == 0) {
    in.vacate(index);
    const slot_ref freed = {&in, index};
    give_back(&freed, 1);
  } else if (in.vacate_absent(index) && in.retire_closed()) {
    space_.put(in);
  }
}

void grouped_heap::give_back(const slot_ref* freed, std::size_t count) {
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    slab_bin* const to = freed[begin].in->list;
    for (end = begin + 1; end < count && freed[end].in->list == to;) ++end;
    to->put(freed + begin, end - begin);
  }
}

void grouped_heap::keep(slot_ref freed) {
  const std::uint8_t class_index = freed.in->class_index;
  cache_bin* const bin = cache_of_thread().ensure_bin(family_, class_index, depth_of(class_index));
  if (bin == nullptr) {
    count_frees(1);
    give_back(&freed, 1);
    return;
  }
  if (!bin->has_room() && !bin->make_room()) {
    slot_ref surplus[cache_bin::max_depth / 4];
    std::size_t count = 0;
    while (count < bin->surplus()) surplus[count++] = bin->take_oldest();
    give_back(surplus, count);
    (void)bin->make_room();
  }
  bin->rest(freed);
}

void grouped_heap::drain(cache_bin& drained, rest of_resting) {
  const auto any = [&] { return of_resting == rest::ends ? !drained.empty() : drained.any_rested(); };
  while (any()) {
    slot_ref given[cache_bin::max_depth / 4];
    std::size_t count = 0;
    while (count < std::size(given) && any()) given[count++] = drained.take_oldest();
    give_back(given, count);
  }
}

void grouped_heap::drain(thread_cache& drained, rest of_resting) {
  for (std::size_t index = 0; index < slab::no_bin; ++index) drain(drained.bin(index), of_resting);
}

void grouped_heap::drain_at_exit() {
  thread_cache*& mine = platform::of_thread(thread_caches)[family_];
  if (mine == &no_thread_cache) return;
  drain(*mine, rest::ends);
  const scoped_lock held(caches_mutex_);
  mine->next_unused = unused_caches_;
  unused_caches_ = mine;
  mine = &no_thread_cache;
  platform::of_thread(thread_is_ending)[family_] = true;
}

platform::error grouped_heap::describe(const slab& in, const void* secret, std::optional<platform::access> shared, account by,
                                       lockfast_receipt& receipt) const {
  const std::size_t index = in.index_of(secret);
  if (!in.holds(index, secret) || in.absent_count != 0) return EINVAL;
  receipt.size = in.size(index);
  receipt.placement = LOCKFAST_GROUPED;
  receipt.access = static_cast<lockfast_access>(shared.value_or(in.header(index).access()));
  receipt.access_error = shared || in.access_in_force(index) ? 0 : EBUSY;
  receipt.lock_error = in.lock_error(index);
  if (receipt.access == LOCKFAST_NOACCESS && receipt.lock_error == 0 && !in.hidden()) {
    receipt.lock_error = platform::closed_lock_error();
  }
  if (receipt.lock_error == 0 && by == account::system) receipt.lock_error = in.lock_error_now(index);
  receipt.backing = in.hidden() ? LOCKFAST_HIDDEN : receipt.lock_error == 0 ? LOCKFAST_LOCKED : LOCKFAST_UNLOCKED;
  receipt.dump_error = in.hidden() ? 0 : in.home.dump_error();
  receipt.hide_error = in.hide_error();
  receipt.fork_error = in.home.fork_error();
  receipt.rest_error = ENOTSUP;
  receipt.rest = receipt.access == LOCKFAST_NOACCESS ? LOCKFAST_CLOSED : LOCKFAST_OPEN;
  return 0;
}

std::size_t grouped_heap::audit() {
  std::size_t damaged = 0;
  for (auto& arena : lists_) {
    for (slab_bin& list : arena)
      list.for_each([&](slab& one) {
        one.open_pages();
        damaged += one.damaged_count();
        one.close_pages();
      });
  }
  return damaged;
}

void grouped_heap::renew_locks() {
  drain(*platform::of_thread(thread_caches)[family_], rest::ends);
  for (auto& arena : lists_) {
    for (slab_bin& list : arena) list.renew_locks();
  }
}

std::size_t grouped_heap::trim(trimming why) {
  const bool holds = why == trimming::shortage && policy_.quarantine_holds;
  drain(*platform::of_thread(thread_caches)[family_], holds ? rest::stays : rest::ends);
  std::size_t bytes = 0;
  for (auto& arena : lists_) {
    for (slab_bin& list : arena) bytes += list.trim();
  }
  return bytes + space_.release_vacant_regions(holds ? slab_heap::rest_of_singles::stays : slab_heap::rest_of_singles::ends);
}

void grouped_heap::add_to(struct lockfast_statistics& out) {
  const scoped_lock held(caches_mutex_);
  space_.while_still([&] {
    look(out);
    if (!lock_watch::sees_none()) return;
    space_.for_each([](const slab& one) {
      if (one.locked_bytes() != 0 && !one.hidden()) lock_watch::see_locked(one.run());
    });
  });
}

void grouped_heap::look(struct lockfast_statistics& out) const {
  std::uint64_t frees = other_frees_.load(std::memory_order_relaxed);
  for (const thread_cache* one = caches_; one != nullptr; one = one->next) frees += one->frees();
  std::size_t live = 0;
  space_.for_each([&](const slab& one) {
    out.bytes_locked += one.locked_bytes();
    for (std::size_t index = 0; index < one.slot_count(); ++index) {
      if (one.header(index).is_free()) continue;
      ++live;
      out.bytes_live += one.size(index);
      out.live_unlocked += one.lock_error(index) != 0;
      out.live_hidden += one.hidden();
    }
  });
  out.bytes_reserved += space_.bytes_reserved();
  out.live += live;
  out.live_grouped += live;
  out.frees += frees;
  out.allocations += frees + live;
}

void grouped_heap::draw(json_lines& out, std::string_view family, region::addresses shown) const {
  const std::size_t page = platform::page_size();
  space_.for_each_region([&](const slab_region& one) {
    out.begin("region");
    out.text("family", family);
    out.text("kind", "grouped");
    if (shown == region::addresses::shown) out.address("address", one.base());
    out.number("pages", one.size() / page);
    out.number("guards", one.place_count() + 1);
    out.text("guarded_by", "maps");
    out.number("places", one.place_count());
    out.number("place_pages", one.place_size() / page);
    out.begin_runs("states");
    std::size_t used = 0;
    for (const slab* at = one.begin(); at < one.end(); ++at, ++used) out.run(state_of(*at));
    for (; used < one.place_count(); ++used) out.run("unused");
    out.end_runs();
    out.end();
  });
  space_.for_each([&](const slab& one) {
    if (one.opened_bytes() == 0 || one.slot_count() == 0) return;
    out.begin("slab");
    out.text("family", family);
    if (shown == region::addresses::shown) out.address("address", one.run());
    out.number("pages", one.opened_bytes() / page);
    out.text("backing", state_of(one));
    out.number("capacity", one.capacity());
    out.begin_runs("states");
    for (std::size_t index = 0; index < one.slot_count(); ++index) out.run(one.header(index).is_free() ? "free" : "live");
    out.end_runs();
    out.end();
  });
}

void grouped_heap::forget_absent(const compartment& within) {
  space_.for_each([&](slab& one) {
    if (one.absent_count == 0 || one.within != &within) return;
    bool last = false;
    for (std::size_t index = 0; !last && index < one.slot_count(); ++index) {
      if (one.header(index).is_free()) continue;
      last = one.vacate_absent(index);
      count_frees(1);
    }
    if (last && one.retire_closed()) space_.put(one);
  });
}

bool grouped_heap::wipe_on_signal(platform::after_wipe leaves, bool (*wipe_in_compartment)(slab& one)) {
  const bool closes = leaves == platform::after_wipe::closed;
  bool done = true;
  for (thread_cache* one = closes ? caches_.load() : nullptr; one != nullptr; one = one->next) count_frees(one->drop_bins());
  space_.for_each([&](slab& one) {
    if (one.opened_bytes() == 0 || one.absent_count != 0 || !one.begin_wipe()) return;
    done &= one.within == nullptr ? one.wipe_on_signal() : wipe_in_compartment(one);
    if (closes) done &= one.leave_closed();
    one.end_wipe();
  });
  copy_.wipe_on_signal();
  return done;
}

void grouped_heap::close_absent() {
  space_.for_each([](slab& one) { one.close_absent(); });
}

}  // namespace lockfast::internal
