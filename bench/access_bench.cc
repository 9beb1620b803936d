// access_bench.cc - how much does a change of access cost beyond the mprotect that it needs?
#include <sys/mman.h>
#include <unistd.h>

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

constexpr std::size_t secret_size = 32;

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// The page in the middle of three, the outer two without access: what a guarded secret must have, and nothing else.
void* bare_page(unsigned lock_flags) {
  void* reserved = mmap(nullptr, 3 * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED) give_up("mmap");
  void* page = static_cast<char*>(reserved) + page_size();
  if (mprotect(page, page_size(), PROT_READ | PROT_WRITE) != 0 || mlock2(page, page_size(), lock_flags) != 0 ||
      madvise(page, page_size(), MADV_DONTDUMP) != 0) {
    give_up("a locked page between guard pages");
  }
  *static_cast<volatile char*>(page) = 0;
  return page;
}

subject bare(const char* name, void* (*allocate)(std::size_t)) {
  return {.name = name,
          .prepare = [] {},
          .allocate = allocate,
          .deallocate = [](void*, std::size_t) {},
          .noaccess = [](void* page) { return mprotect(page, page_size(), PROT_NONE); },
          .readwrite = [](void* page) { return mprotect(page, page_size(), PROT_READ | PROT_WRITE); }};
}

// The kernel walks a page that mlock has locked once more whenever it becomes writable, and one locked with MLOCK_ONFAULT
// not; either way it is held in RAM. So there are two pages to compare with.
constexpr const char* locked = "bare mprotect, page locked by mlock";
constexpr const char* locked_on_fault = "bare mprotect, page locked with MLOCK_ONFAULT";

// Closes and opens one secret, and writes a byte of it as whoever opens it would.
double time_of(const subject& of, std::uint64_t count) {
  static auto* const secret = static_cast<volatile unsigned char*>(of.allocate(secret_size));
  if (secret == nullptr) give_up("an allocation was refused");
  void* const start = const_cast<unsigned char*>(secret);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (of.noaccess(start) != 0 || of.readwrite(start) != 0) give_up("a change of access was refused");
    secret[0] = static_cast<unsigned char>(i);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::vector<subject> subjects() {
  std::vector<subject> all{bare(locked, [](std::size_t) { return bare_page(0); }),
                           bare(locked_on_fault, [](std::size_t) { return bare_page(MLOCK_ONFAULT); })};
  for (const subject& each : libsodium()) all.push_back(each);
  all.push_back(lockfast_with("lockfast", {}));
  return all;
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  const std::vector<subject> all = subjects();
  std::deque<worker<std::uint64_t, double>> workers;
  for (const subject& each : all) {
    auto& runner = workers.emplace_back(each.prepare, [&each](std::uint64_t count) { return time_of(each, count); });
    medians::add(each.name, [&runner](std::uint64_t count) { return runner.ask(count); });
  }
  const medians result = medians::measure(argc, argv);
  std::printf("Close a secret, open it, write a byte: median time of %lld interleaved runs\n\n",
              static_cast<long long>(result.repetitions()));
  table shown({"subject", "time", "of the first", "of the second"});
  for (const subject& each : all) {
    if (!result.has(each.name) || !result.has(locked) || !result.has(locked_on_fault)) continue;
    const double time = result.of(each.name);
    shown.add({each.name, duration(time), number(time / result.of(locked)), number(time / result.of(locked_on_fault))});
  }
  shown.print();
}
