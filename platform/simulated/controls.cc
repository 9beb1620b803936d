// controls.cc - what a test sets, and what it asks.
#include "platform/simulated/host.h"

namespace lockfast::simulated {

void reset() {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  for (std::size_t& one : in.counts) one = 0;
  in.until_refusal = 0;
  in.refused = false;
  in.refuses_on = false;
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
  in.hibernates = false;
  in.moves = true;
  in.closing_unlocks = false;
  in.keeps_pages = false;
  in.generator = true;
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

void observe_calls(void (*observer)()) { the_host().mutex.observer = observer; }

void observe_unlocks(void (*observer)(const std::byte*, std::size_t)) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  in.unlock_observer = observer;
}

void observe_lock_held(void (*observer)(const std::byte*, std::size_t)) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  in.lock_held_observer = observer;
}

bool refuses(call which) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  return refuses(in, which);
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
void set_hibernates(bool can) { the_host().hibernates = can; }
void set_moves(bool can) { the_host().moves = can; }
void set_map_limit(std::size_t maps) { the_host().map_limit = maps; }
void count_maps(std::size_t of_others) {
  the_host().counts_maps = true;
  the_host().other_maps = of_others;
}
std::size_t map_refusals() { return the_host().map_refusals; }
void set_address_limit(std::size_t bytes) { the_host().address_limit = bytes; }
void set_memory_available(std::size_t bytes) { the_host().memory_available = bytes; }
void set_fork_error(int refusal) { the_host().fork_error = refusal; }
void set_advice_error(int refusal) { the_host().advice_error = refusal; }
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
  return sum_of(in, &block_counts::accessible) * in.page;
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
  return sum_of(in, &block_counts::marked) * in.page;
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
    block.counts.reset();
  }
}

bool readable(const void* address) {
  host& in = the_host();
  const std::scoped_lock held(in.mutex);
  const auto offset = reinterpret_cast<std::uintptr_t>(address) % in.page;
  const page_state* const found = state_at(in, static_cast<const std::byte*>(address) - offset);
  return found != nullptr && found->allowed != platform::access::none && !found->marked;
}

bool foreign_locked(const void* address) {
  host& in = the_host();
  return in.foreign_locked.contains(page_of(address));
}

bool foreign_concealed(const void* address) {
  host& in = the_host();
  return in.foreign_concealed.contains(page_of(address));
}

}  // namespace lockfast::simulated
