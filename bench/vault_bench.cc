// vault_bench.cc - what does a vault's record cost to insert, to open and to replace, beside the bare cipher and libsodium?
//
// The bare cipher seals and opens into memory that is there, under a key that is open: what is beyond it is the vault's own.
// With libsodium a program seals by crypto_secretbox, and opens each record into a sodium_malloc block.
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/crew.h"
#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/table.h"
#include "bench/team.h"
#include "bench/vault_records.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t sizes[] = {32, 1024, max_record};
constexpr int repetitions = 9;

constexpr struct {
  way by;
  const char* name;
} ways[] = {{way::vault, "vault"}, {way::cipher, "bare cipher"}, {way::sodium, "libsodium"}};

constexpr struct {
  operation what;
  const char* name;
} operations[] = {{operation::insert, "insert"},
                  {operation::insert_together, "insert 1,000 together, each"},
                  {operation::open, "open, cold"},
                  {operation::open_at_hand, "open, cached"},
                  {operation::use_together, "use 1,000 together, cold, each"},
                  {operation::replace, "replace"},
                  {operation::rekey, "re-key, each"}};

struct request {
  operation what;
  std::size_t size;
  std::uint64_t count;  // of each thread
};

// ---- Processes and threads -----------------------------------------------------------------------------------------------

struct staff {
  std::size_t processes;
  std::size_t threads;
  const char* title;
};

constexpr staff one{1, 1, "one thread"};
constexpr staff two{1, 2, "two threads"};
constexpr staff two_processes{2, 1, "two processes"};

double answer(way by, const staff& how, const request& wanted, std::size_t processor) {
  static crew threads(how.threads, processor);
  static const std::unique_ptr<records> all = make_records(by, wanted.size);
  static std::deque<walk> walks;
  while (walks.size() < how.threads) walks.emplace_back(population(wanted.size), walks.size());
  if (how.threads == 1) return all->run(wanted.what, wanted.count, walks[0]);
  return threads.run([&](std::size_t index) { (void)all->run(wanted.what, wanted.count, walks[index]); });
}

std::string title(way by, const staff& how, operation what, std::size_t size) {
  return std::to_string(static_cast<int>(by)) + " " + how.title + " " + std::to_string(static_cast<int>(what)) + " " +
         size_class(size);
}

std::size_t records_of(operation what, std::size_t size) {
  if (what == operation::rekey) return population(size);
  return what == operation::insert_together || what == operation::use_together ? together : 1;
}

class runners {
 public:
  void add(way by, const staff& how, operation what, std::size_t size) {
    auto& runner = all_[std::to_string(static_cast<int>(by)) + how.title + size_class(size)];
    if (runner == nullptr) {
      runner = std::make_unique<team<request>>(
          how.processes, [] {},
          [by, &how](const request& wanted, std::size_t index) { return answer(by, how, wanted, index); });
    }
    medians::add(title(by, how, what, size),
                 [&asked = *runner, what, size](std::uint64_t count) { return asked.ask({what, size, count}); });
  }

 private:
  std::map<std::string, std::unique_ptr<team<request>>> all_;
};

constexpr operation threaded[] = {operation::open, operation::use_together, operation::open_at_hand};

void print(const medians& result) {
  const auto of = [&](way by, const staff& how, operation what, std::size_t size) {
    const std::string name = title(by, how, what, size);
    return result.has(name) ? result.of(name) / static_cast<double>(records_of(what, size)) : 0.0;
  };
  std::printf("A record of a vault: median of %lld interleaved runs; other programs took %.0f %% of the processors' time\n",
              static_cast<long long>(result.repetitions()), 100 * result.disturbance());
  for (const std::size_t size : sizes) {
    std::printf("\nRecords of %s, one of %zu\n\n", size_class(size).c_str(), population(size));
    table shown({"operation", "vault", "bare cipher", "beyond it", "libsodium", "faster"});
    for (const auto& [what, name] : operations) {
      const double ours = of(way::vault, one, what, size);
      const double bare = of(way::cipher, one, what, size);
      const double other = of(way::sodium, one, what, size);
      if (ours == 0) continue;
      shown.add({name, duration(ours), bare == 0 ? "-" : duration(bare), bare == 0 ? "-" : duration(ours - bare),
                 other == 0 ? "-" : duration(other), other == 0 ? "-" : times(other / ours)});
    }
    shown.print();
  }
  std::printf("\nRecords of 32 B: what two readers do, of what one does\n\n");
  table shown({"operation", "two threads", "two processes", "two processes, bare cipher"});
  const auto gain = [&](operation what, way by, const staff& how) {
    const double single = of(by, one, what, 32);
    const double both = of(by, how, what, 32);
    return single == 0 || both == 0 ? std::string("-") : times(2 * single / both);
  };
  for (const auto& [what, name] : operations) {
    if (of(way::vault, two, what, 32) == 0) continue;
    shown.add(
        {name, gain(what, way::vault, two), gain(what, way::vault, two_processes), gain(what, way::cipher, two_processes)});
  }
  const auto bare = [&](const staff& how) { return gain(operation::open_at_hand, way::mprotect, how); };
  shown.add({"bare mprotect of an own page, and back", bare(two), bare(two_processes), "-"});
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  runners all;
  for (const std::size_t size : sizes) {
    for (const auto& [what, what_name] : operations) {
      for (const auto& [by, by_name] : ways) {
        if (does(by, what)) all.add(by, one, what, size);
      }
    }
  }
  for (const operation what : threaded) {
    all.add(way::vault, two, what, 32);
    all.add(way::vault, two_processes, what, 32);
    if (does(way::cipher, what)) all.add(way::cipher, two_processes, what, 32);
  }
  for (const staff* how : {&one, &two, &two_processes}) all.add(way::mprotect, *how, operation::open_at_hand, 32);
  print(medians::measure(argc, argv, repetitions));
}
