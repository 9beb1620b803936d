// life_bench.cc - what does a program's life cost that loads, closes, uses and frees 4,000 secrets of 32 bytes, and its next one?
//
// Each process does that twice; a process for each run, the subjects in turn. "bare" makes the system calls that the promise needs
// and no more, in the same order. --benchmark_out=FILE keeps the medians as Google Benchmark does, in JSON.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/bare_pages.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t secret_size = 32;
constexpr std::size_t secret_count = 4'000;  // of all threads together
static_assert(secret_count <= bare_count);
constexpr std::size_t max_threads = 2;
constexpr int rounds = 11;

enum phase : std::size_t { load, close, use, release, phase_count };
constexpr const char* phase_names[] = {"load", "close", "use", "free"};

using life = std::array<double, phase_count>;  // seconds for all
struct lives {
  life first;
  life second;
};

std::vector<subject> all_subjects() {
  std::vector<subject> all = libsodium();
  lockfast_options options{};
  if (has_hidden_memory()) {
    options.hidden = LOCKFAST_HIDDEN_ON;
    all.push_back(lockfast_with("ours, hidden", options));
    all.push_back(bare_hidden());
  } else {
    std::fprintf(stderr, "bench: no hidden memory here: it is left out\n");
  }
  options.hidden = LOCKFAST_HIDDEN_OFF;
  all.push_back(lockfast_with("ours, locked", options));
  all.push_back(bare_locked());
  return all;
}

// ---- Lives --------------------------------------------------------------------------------------------------------------------

template <class Do>
double seconds_of(Do act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

life live(const subject& of, std::size_t count) {
  std::vector<void*> secrets(count);
  life times{};
  times[load] = seconds_of([&] {
    for (void*& each : secrets) {
      each = of.allocate(secret_size);
      if (each == nullptr) give_up("an allocation was refused");
      touch(each, secret_size);
    }
  });
  times[close] = seconds_of([&] {
    for (void* const each : secrets) {
      if (of.noaccess(each) != 0) give_up("noaccess");
    }
  });
  times[use] = seconds_of([&] {
    for (void* const each : secrets) {
      if (of.readwrite(each) != 0) give_up("readwrite");
      (void)*static_cast<volatile unsigned char*>(each);
      if (of.noaccess(each) != 0) give_up("noaccess");
    }
  });
  times[release] = seconds_of([&] {
    for (void* const each : secrets) of.deallocate(each, secret_size);
  });
  return times;
}

lives live_twice(const subject& of, std::size_t threads) {
  lives of_thread[max_threads] = {};
  const auto run = [&](std::size_t index) {
    of_thread[index].first = live(of, secret_count / threads);
    of_thread[index].second = live(of, secret_count / threads);
  };
  std::vector<std::thread> others;
  for (std::size_t index = 1; index < threads; ++index) others.emplace_back(run, index);
  run(0);
  for (std::thread& each : others) each.join();
  // The slowest thread's time of each phase.
  lives slowest = of_thread[0];
  for (const lives& each : of_thread) {
    for (std::size_t at = 0; at < phase_count; ++at) {
      slowest.first[at] = std::max(slowest.first[at], each.first[at]);
      slowest.second[at] = std::max(slowest.second[at], each.second[at]);
    }
  }
  return slowest;
}

// ---- The table ----------------------------------------------------------------------------------------------------------------

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// A median, under the name "life/subject/phase".
struct figure {
  std::string name;
  double nanoseconds;
};

void print(const std::string& title, const std::vector<subject>& subjects, const std::vector<std::vector<life>>& runs,
           std::vector<figure>& figures) {
  std::printf("\n%s\n\n", title.c_str());
  std::vector<std::string> heading{""};
  for (const char* const each : phase_names) heading.emplace_back(each);
  heading.emplace_back("whole");
  const bool compares = subjects.front().name == "libsodium";
  if (compares) heading.emplace_back("faster");
  table shown(heading);
  double of_libsodium = 0;
  for (std::size_t which = 0; which < subjects.size(); ++which) {
    std::vector<std::string> cells{subjects[which].name};
    const auto add = [&](const std::string& phase, auto time) {
      std::vector<double> values;
      for (const life& each : runs[which]) values.push_back(time(each) / secret_count);
      const double middle = median(values);
      cells.push_back(duration(middle * 1e9));
      figures.push_back({title + "/" + subjects[which].name + "/" + phase, middle * 1e9});
      return middle;
    };
    for (std::size_t at = 0; at < phase_count; ++at) add(phase_names[at], [at](const life& each) { return each[at]; });
    const double whole = add("whole", [](const life& each) { return each[load] + each[close] + each[use] + each[release]; });
    if (which == 0) of_libsodium = whole;
    if (compares) cells.push_back(times(of_libsodium / whole));
    shown.add(cells);
  }
  shown.print();
}

void write(const char* path, const std::vector<figure>& figures) {
  std::FILE* const file = std::fopen(path, "w");
  if (file == nullptr) give_up(path);
  std::fprintf(file, "{\n  \"benchmarks\": [");
  const char* between = "";
  for (const figure& each : figures) {
    std::fprintf(file, "%s\n    {\"name\": \"%s\", \"aggregate_name\": \"median\", \"real_time\": %.4f, \"time_unit\": \"ns\"}", between,
                 each.name.c_str(), each.nanoseconds);
    between = ",";
  }
  std::fprintf(file, "\n  ]\n}\n");
  if (std::fclose(file) != 0) give_up(path);
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  constexpr std::string_view out = "--benchmark_out=";
  if (argc > 2 || (argc == 2 && !std::string_view(argv[1]).starts_with(out))) {
    std::fprintf(stderr, "usage: life_bench [--benchmark_out=FILE]\n");
    return 2;
  }
  std::vector<figure> figures;
  const std::vector<subject> subjects = all_subjects();
  std::printf("%zu secrets of %zu B: time for each secret, median of %d interleaved runs\n", secret_count, secret_size, rounds);
  for (std::size_t threads = 1; threads <= max_threads; ++threads) {
    std::vector<std::vector<life>> first(subjects.size());
    std::vector<std::vector<life>> second(subjects.size());
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t which = 0; which < subjects.size(); ++which) {
        const subject& of = subjects[which];
        worker<std::size_t, lives> process(of.prepare, [&of](std::size_t count) { return live_twice(of, count); });
        const lives both = process.ask(threads);
        first[which].push_back(both.first);
        second[which].push_back(both.second);
      }
    }
    const std::string by = threads == 1 ? "one thread" : std::to_string(threads) + " threads, each with its share";
    print("First life, " + by, subjects, first, figures);
    print("Second life, " + by, subjects, second, figures);
  }
  if (argc == 2) write(argv[1] + out.size(), figures);
}
