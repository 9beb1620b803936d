#include "platform/simulated/host.h"

#include <cstdio>
#include <cstdlib>

namespace lockfast::simulated {
namespace {

// What makes two pages beside each other two maps. Between markers all pages but those that were closed are writable and locked.
bool same_map(const page_state& one, const page_state& other) {
  const auto allowed = [](const page_state& page) { return page.marked ? access::read_write : page.allowed; };
  return allowed(one) == allowed(other) && one.locked == other.locked && !one.hidden && !other.hidden &&
         one.apart == other.apart && (one.between_markers || one.opened == other.opened);
}

}  // namespace

// For as long as the process: what is still reserved at its end is not lost.
host& the_host() {
  static host* const one = new host;
  return *one;
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

const page_state* state_at(const host& in, const std::byte* page) {
  auto after = in.blocks.upper_bound(const_cast<std::byte*>(page));
  if (after == in.blocks.begin()) return nullptr;
  const auto& [base, block] = *std::prev(after);
  const auto index = static_cast<std::size_t>(page - base) / in.page;
  return index < block.pages.size() ? &block.pages[index] : nullptr;
}

std::size_t maps_of(const host& in) {
  std::size_t maps = in.other_maps;
  for (const auto& [base, block] : in.blocks) {
    maps += 1;
    for (std::size_t at = 1; at < block.pages.size(); ++at) maps += !same_map(block.pages[at - 1], block.pages[at]);
  }
  return maps;
}

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

}  // namespace lockfast::simulated
