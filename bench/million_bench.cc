// million_bench.cc - how long does it take, and how much memory, to hold 100,000 secrets as anybody and 1,000,000 as root?
#include <grp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
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
constexpr std::size_t runs = 3;
constexpr double patience = 5;  // seconds, after which a subject is asked for no more secrets, and is not run again

struct holding {
  std::size_t live;
  std::size_t locked;  // of those: held in RAM by the kernel's word
  double to_hold;      // seconds from the library's start, its pool's included, until all are held
  double to_free;      // seconds
  footprint added;     // by all of them together
};

constexpr rlim_t common_lock_limit = 8U << 20U;  // what most systems give to a user
constexpr uid_t nobody = 65534;

void limit_locks() {
  const rlimit limit{.rlim_cur = common_lock_limit, .rlim_max = common_lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) give_up("a lock limit of 8 MiB");
}

// Gives up root's rights, among them that to lock without limit.
void become_nobody() {
  if (geteuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setresgid(nobody, nobody, nobody) != 0 || setresuid(nobody, nobody, nobody) != 0)) {
    give_up("another user");
  }
  // A process that changes its user may no longer read what /proc says of it.
  if (prctl(PR_SET_DUMPABLE, 1) != 0) give_up("PR_SET_DUMPABLE");
}

struct population {
  const char* title;
  std::size_t count;
  void (*limit)();   // before the library is loaded: Botan sizes its pool by the limit then
  void (*become)();  // after it: another user may not be able to read the folder that the library lies in
};

constexpr population as_nobody{"as an ordinary user under a lock limit of 8 MiB", 100'000, limit_locks, become_nobody};
constexpr population as_root{"as root", 1'000'000, [] {}, [] {}};

// What the fixed pools need for count secrets: a block of OpenSSL's has 32 bytes, one of libgcrypt's 48.
constexpr std::size_t pool_for(std::size_t count) { return count * 50 + (64U << 10U); }

// At the map limit the heap cannot grow: what the counting takes is there before.
void enlarge_heap() {
  constexpr int heap_reserve = 16 << 20;
  if (mallopt(M_MMAP_MAX, 0) == 0 || mallopt(M_TOP_PAD, heap_reserve) == 0) give_up("mallopt");
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// As many as are not refused, or as there is time for.
std::size_t fill(const subject& of, std::vector<void*>& secrets, std::chrono::steady_clock::time_point begin) {
  constexpr std::size_t between_looks = 1024;
  std::size_t live = 0;
  for (void*& secret : secrets) {
    secret = of.allocate(secret_size);
    if (secret == nullptr) break;
    touch(secret, secret_size);
    if (++live % between_looks == 0 && seconds_since(begin) > patience) break;
  }
  return live;
}

// The footprint is taken after the library is loaded and before it is started; but what it locks while it is loaded, which
// Botan does with its pool, counts.
holding hold(subject of, const population& wanted) {
  enlarge_heap();
  wanted.limit();
  std::vector<void*> secrets(wanted.count);
  const double locked_before = process_footprint().locked;
  of.load(of);
  wanted.become();
  footprint before = process_footprint();

  holding held{};
  auto begin = std::chrono::steady_clock::now();
  of.prepare();
  held.live = fill(of, secrets, begin);
  held.to_hold = seconds_since(begin);

  const footprint after = process_footprint();
  held.added = {.reserved = after.reserved - before.reserved,
                .resident = after.resident - before.resident,
                .locked = after.locked - locked_before,
                .maps = after.maps - before.maps};
  const locked_maps maps;
  secrets.resize(held.live);
  held.locked = static_cast<std::size_t>(
      std::ranges::count_if(secrets, [&](const void* secret) { return maps.hold(secret, secret_size); }));

  begin = std::chrono::steady_clock::now();
  for (void* secret : secrets) of.deallocate(secret, secret_size);
  held.to_free = seconds_since(begin);
  return held;
}

// In a process of its own, so that none starts with what another left.
holding hold_alone(const subject& of, const population& wanted) {
  worker<population, holding> alone([] {}, [&of](const population& request) { return hold(of, request); });
  return alone.ask(wanted);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

void print(const population& wanted) {
  const std::vector<subject> subjects = grouped_allocators(pool_for(wanted.count));
  std::vector<std::vector<holding>> held(subjects.size());
  for (std::size_t run = 0; run < runs; ++run) {
    for (std::size_t index = 0; index < subjects.size(); ++index) {
      if (run == 0 || held[index].back().to_hold < patience) held[index].push_back(hold_alone(subjects[index], wanted));
    }
  }
  std::printf("Hold %zu secrets of %zu bytes %s: median times of %zu interleaved runs\n", wanted.count, secret_size,
              wanted.title, runs);
  std::printf("*: refused, or stopped after %.0f s\n\n", patience);
  table shown({"subject", "live", "of them locked", "time to hold", "time to free", "each: locked", "resident", "address space",
               "all: locked", "maps"});
  for (std::size_t index = 0; index < subjects.size(); ++index) {
    const holding& last = held[index].back();
    std::vector<double> to_hold;
    std::vector<double> to_free;
    for (const holding& each : held[index]) {
      to_hold.push_back(each.to_hold);
      to_free.push_back(each.to_free);
    }
    const auto live = static_cast<double>(last.live);
    shown.add({subjects[index].name, std::to_string(last.live) + (last.live < wanted.count ? " *" : ""),
               std::to_string(last.locked), seconds(median(to_hold)), seconds(median(to_free)), bytes(last.added.locked / live),
               bytes(last.added.resident / live), bytes(last.added.reserved / live), bytes(last.added.locked),
               std::to_string(static_cast<long long>(last.added.maps))});
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main() {
  using namespace lockfast::bench;
  print(as_nobody);
  std::printf("\n");
  if (geteuid() != 0) {
    std::printf("To hold %zu, locked, takes root: left out\n", as_root.count);
    return 0;
  }
  print(as_root);
}
