#include "platform/simulated/host.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lockfast::simulated {
namespace {

// What makes two pages beside each other two maps. Between markers all pages but those that were closed are writable and locked.
bool same_map(const page_state& one, const page_state& other) {
  const auto allowed = [](const page_state& page) { return page.marked ? access::read_write : page.allowed; };
  return allowed(one) == allowed(other) && one.locked == other.locked && !one.hidden && !other.hidden &&
         one.apart == other.apart && (one.between_markers || one.opened == other.opened);
}

const block_counts& counts_of(const reserved_block& block) {
  if (!block.counts.has_value()) {
    block_counts& counts = block.counts.emplace();
    const page_state* before = nullptr;
    for (const page_state& page : block.pages) {
      counts.locked += page.locked;
      counts.hidden += page.hidden;
      counts.accessible += page.allowed != access::none;
      counts.marked += page.marked;
      counts.maps += before == nullptr || !same_map(*before, page);
      before = &page;
    }
  }
  return *block.counts;
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

std::size_t sum_of(const host& in, std::size_t block_counts::* count) {
  std::size_t sum = 0;
  for (const auto& [base, block] : in.blocks) sum += counts_of(block).*count;
  return sum;
}

std::size_t locked_bytes(const host& in) { return (in.foreign_locked.size() + sum_of(in, &block_counts::locked)) * in.page; }

std::size_t reserved_bytes(const host& in) {
  std::size_t pages = 0;
  for (const auto& [base, block] : in.blocks) pages += block.pages.size();
  return pages * in.page;
}

std::size_t hidden_bytes(const host& in) { return (sum_of(in, &block_counts::hidden) - in.hidden_twice.size()) * in.page; }

const page_state* state_at(const host& in, const std::byte* page) {
  auto after = in.blocks.upper_bound(const_cast<std::byte*>(page));
  if (after == in.blocks.begin()) return nullptr;
  const auto& [base, block] = *std::prev(after);
  const auto index = static_cast<std::size_t>(page - base) / in.page;
  return index < block.pages.size() ? &block.pages[index] : nullptr;
}

std::size_t maps_of(const host& in) { return in.other_maps + sum_of(in, &block_counts::maps); }

bool lacks_maps_to_move(host& in) {
  const bool lacks = in.counts_maps && maps_of(in) + 3 > in.map_limit;
  in.map_refusals += lacks;
  return lacks;
}

void require_wiped(const host& in, const std::byte* page, const char* what) {
  // Zero if the first byte is, and each is like the one before it.
  if (page[0] != std::byte{0} || std::memcmp(page, page + 1, in.page - 1) != 0) fail(what);
}

}  // namespace lockfast::simulated
