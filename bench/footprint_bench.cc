// footprint_bench.cc - what does a live 32-byte secret cost in memory, and how many of them can a process hold?
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "bench/process_memory.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t secret_size = 32;
constexpr std::size_t populations[] = {1'000, 10'000};
constexpr std::size_t most = 40'000;  // where the search for the largest population stops

struct holding {
  std::size_t live;
  std::size_t unguarded;  // without a guard page on both sides
  footprint added;        // by all of them together
};

std::size_t count_unguarded(const std::vector<void*>& secrets, std::size_t live) {
  const guard_probe probe;
  const auto page_size = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  std::size_t unguarded = 0;
  for (std::size_t i = 0; i < live; ++i) {
    const auto secret = reinterpret_cast<std::uintptr_t>(secrets[i]);
    const std::uintptr_t run = secret / page_size * page_size;
    const std::uintptr_t past = (secret + secret_size + page_size - 1) / page_size * page_size;
    if (!probe.guards(run - page_size) || !probe.guards(past)) ++unguarded;
  }
  return unguarded;
}

// At the map limit the heap cannot grow either: what the counting takes is there before.
void enlarge_heap() {
  constexpr int heap_reserve = 16 << 20;
  if (mallopt(M_MMAP_MAX, 0) == 0 || mallopt(M_TOP_PAD, heap_reserve) == 0) give_up("mallopt");
}

// Holds count secrets, or as many as are not refused, and counts.
holding hold(const subject& of, std::size_t count) {
  enlarge_heap();
  std::vector<void*> secrets(count);
  footprint before = process_footprint();  // the first reading pays for what reading takes
  before = process_footprint();
  std::size_t live = 0;
  while (live < count && (secrets[live] = of.allocate(secret_size)) != nullptr) ++live;
  const footprint after = process_footprint();
  return {.live = live,
          .unguarded = count_unguarded(secrets, live),
          .added = {.reserved = after.reserved - before.reserved,
                    .resident = after.resident - before.resident,
                    .locked = after.locked - before.locked,
                    .maps = after.maps - before.maps}};
}

// Each holding in a process of its own, so that none starts with what another left.
holding hold_alone(const subject& of, std::size_t count) {
  worker<std::size_t, holding> alone(of.prepare, [&of](std::size_t wanted) { return hold(of, wanted); });
  return alone.ask(count);
}

void print_costs(const std::vector<subject>& subjects) {
  std::printf("What one live secret of %zu bytes takes, isolated\n\n", secret_size);
  table shown({"subject", "live", "address space", "resident", "locked", "maps"});
  for (const subject& each : subjects) {
    for (const std::size_t count : populations) {
      const holding held = hold_alone(each, count);
      const auto live = static_cast<double>(held.live);
      shown.add({each.name, std::to_string(held.live), bytes(held.added.reserved / live), bytes(held.added.resident / live),
                 bytes(held.added.locked / live), number(held.added.maps / live)});
    }
  }
  shown.print();
}

void print_limits(const std::vector<subject>& subjects) {
  std::printf("\nHow many a process can hold at once (at most %zu are tried)\n\n", most);
  table shown({"subject", "live", "without both guard pages", "locked each"});
  for (const subject& each : subjects) {
    const holding held = hold_alone(each, most);
    shown.add({each.name, std::to_string(held.live), std::to_string(held.unguarded),
               bytes(held.added.locked / static_cast<double>(held.live))});
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main() {
  const std::vector<lockfast::bench::subject> subjects = lockfast::bench::isolated_allocators();
  lockfast::bench::print_costs(subjects);
  lockfast::bench::print_limits(subjects);
}
