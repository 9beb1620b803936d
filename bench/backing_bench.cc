// backing_bench.cc - what do hidden pages cost that locked ones don't, in a warm pair and in a change of access?
#include <chrono>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

using work = void (*)(std::size_t size, std::uint64_t count);

void pair_with(void* (*allocate)(std::size_t), std::size_t size, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    void* const secret = allocate(size);
    if (secret == nullptr) give_up("an allocation was refused");
    touch(secret, size);
    lockfast_free(secret);
  }
}
void grouped_pairs(std::size_t size, std::uint64_t count) { pair_with(lockfast_malloc, size, count); }
void isolated_pairs(std::size_t size, std::uint64_t count) { pair_with(lockfast_malloc_isolated, size, count); }

void close_and_open(std::size_t size, std::uint64_t count) {
  static void* const secret = lockfast_malloc_isolated(size);
  for (std::uint64_t i = 0; i < count; ++i) {
    const int done = lockfast_protect(secret, LOCKFAST_NOACCESS) + lockfast_protect(secret, LOCKFAST_READWRITE);
    if (done != 0) give_up("an access was refused");
    touch(secret, size);
  }
}

struct row {
  const char* title;
  work measured;
  std::size_t size;
  lockfast_freed freed;
};

constexpr row rows[] = {{"grouped, 32 B", grouped_pairs, 32, LOCKFAST_FREED_DEFAULT},
                        {"grouped, 1 KiB", grouped_pairs, 1024, LOCKFAST_FREED_DEFAULT},
                        {"isolated, freed=recycle, 32 B", isolated_pairs, 32, LOCKFAST_FREED_RECYCLE},
                        {"isolated, freed=trap, 32 B", isolated_pairs, 32, LOCKFAST_FREED_TRAP},
                        {"isolated, freed=trap, 64 KiB", isolated_pairs, 65536, LOCKFAST_FREED_TRAP},
                        {"isolated, close and open, 32 B", close_and_open, 32, LOCKFAST_FREED_DEFAULT}};

struct backing {
  const char* title;
  lockfast_hidden hidden;
  lockfast_backing had;
};

constexpr backing backings[] = {{"locked", LOCKFAST_HIDDEN_OFF, LOCKFAST_LOCKED},
                                {"hidden", LOCKFAST_HIDDEN_ON, LOCKFAST_HIDDEN}};

void prepare(const row& at, const backing& in) {
  lockfast_options options = {};
  options.hidden = in.hidden;
  options.freed = at.freed;
  if (lockfast_configure(&options) != 0) give_up("the policy");
  void* const secret = lockfast_malloc_isolated(at.size);
  lockfast_receipt receipt;
  if (secret == nullptr || lockfast_describe(secret, &receipt) != 0) give_up("a secret");
  if (receipt.backing != in.had) give_up("this machine has no such memory");
  lockfast_free(secret);
}

std::string name(const row& at, const backing& in) { return std::string(at.title) + "/" + in.title; }

void print(const medians& result) {
  std::printf("A warm pair, or a change of access and back: median of %lld interleaved runs\n\n",
              static_cast<long long>(result.repetitions()));
  table shown({"", "locked", "hidden", "hidden / locked"});
  for (const row& at : rows) {
    if (!result.has(name(at, backings[0])) || !result.has(name(at, backings[1]))) continue;
    const double locked = result.of(name(at, backings[0]));
    const double hidden = result.of(name(at, backings[1]));
    shown.add({at.title, duration(locked), duration(hidden), ratio(hidden / locked)});
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  struct request {
    std::uint64_t count;
  };
  std::deque<worker<request, double>> workers;
  for (const row& at : rows) {
    for (const backing& in : backings) {
      auto& runner = workers.emplace_back([&] { prepare(at, in); },
                                          [&](const request& asked) {
                                            const auto begin = std::chrono::steady_clock::now();
                                            at.measured(at.size, asked.count);
                                            const auto end = std::chrono::steady_clock::now();
                                            return std::chrono::duration<double>(end - begin).count();
                                          });
      medians::add(name(at, in), [&runner](std::uint64_t count) { return runner.ask({count}); });
    }
  }
  print(medians::measure(argc, argv));
}
