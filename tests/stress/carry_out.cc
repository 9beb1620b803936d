// carry_out.cc - the threads, the pauses, and what is compared there.
#include "stress/carry_out.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "fuzz/probe.h"
#include "stress/actor.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/patience.h"

namespace lockfast::stress {
namespace {

using phase_number = std::atomic<std::size_t>;

// What a process holds, and must not hold more of as time goes by.
struct holdings {
  std::size_t resident_pages = 0, maps = 0, descriptors = 0, bytes_reserved = 0, bytes_locked = 0;

  [[nodiscard]] static holdings now() {
    holdings found;
    std::size_t all_pages = 0;
    std::ifstream("/proc/self/statm") >> all_pages >> found.resident_pages;
    struct lockfast_statistics counted = {};
    lockfast_get_statistics(&counted);
    found.maps = counted.maps_used;
    found.bytes_reserved = counted.bytes_reserved;
    found.bytes_locked = counted.bytes_locked;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) found.descriptors += each.exists() ? 1U : 0U;
    return found;
  }
  void widen(const holdings& by) {
    resident_pages = std::max(resident_pages, by.resident_pages);
    maps = std::max(maps, by.maps);
    descriptors = std::max(descriptors, by.descriptors);
    bytes_reserved = std::max(bytes_reserved, by.bytes_reserved);
    bytes_locked = std::max(bytes_locked, by.bytes_locked);
  }
};

class performance {
 public:
  performance(const configuration& in, std::size_t places, phase_number& done) : shared_(in), done_(done) {
    for (std::size_t number = 0; number < thread_count; ++number) actors_.emplace_back(shared_, number, places);
  }

  // next gives a phase, or nothing at the end.
  void run(const std::function<const phase*()>& next) {
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < thread_count; ++number) threads.emplace_back([this, number] { act(number); });
    while ((current_ = next()) != nullptr) {
      together_.arrive_and_wait();  // begins
      together_.arrive_and_wait();  // all is done
      together_.arrive_and_wait();  // each has verified its own
      verify();
      done_.fetch_add(1);
    }
    together_.arrive_and_wait();
    for (std::thread& each : threads) each.join();
    end();
  }

 private:
  void act(std::size_t number) {
    actor& mine = actors_[number];
    // In turn: at a limit, opening one's own may trim, and so open another's compartment for a moment.
    const auto in_turn = [this](auto act) {
      const std::scoped_lock alone(turn_);
      act();
    };
    for (together_.arrive_and_wait(); current_ != nullptr; together_.arrive_and_wait()) {
      for (const operation& one : current_->of_thread[number]) {
        const std::string line = std::to_string(number) + ' ' + text(one);
        doing(line.c_str());
        mine.perform(one);
      }
      together_.arrive_and_wait();
      in_turn([&] { mine.verify(); });
      together_.arrive_and_wait();
    }
    in_turn([&] { mine.release_all(); });
  }

  // What concerns all secrets together.
  void verify() {
    doing("a pause of all");
    for (held_secret& one : shared_.boxes) {
      if (!one.empty()) one.verify(shared_.in);
    }
    if (const std::size_t damaged = lockfast_audit(); damaged != 0) disagree("an audit finds %zu damaged", damaged);
    compare_counts();
    compare_maps();
  }

  void compare_counts() const {
    tally all;
    std::array<bool, shared_things::claimed_pages> claimed = {};
    std::size_t claimed_count = 0;
    for (const actor& each : actors_) {
      all.add(each.counted());
      claimed_count = each.claimed_pages_of(claimed);
    }
    for (const held_secret& one : shared_.boxes) all.add(one);
    struct lockfast_statistics now = {};
    lockfast_get_statistics(&now);
    const auto same = [](const char* name, std::uint64_t counted, std::uint64_t wanted) {
      if (counted != wanted) {
        disagree("%s is %llu, not %llu", name, static_cast<unsigned long long>(counted), static_cast<unsigned long long>(wanted));
      }
    };
    same("live", now.live, all.isolated + all.grouped);
    same("live_isolated", now.live_isolated, all.isolated);
    same("live_grouped", now.live_grouped, all.grouped);
    same("live_hidden", now.live_hidden, all.hidden);
    same("live_unlocked", now.live_unlocked, all.unlocked);
    same("live_sealed", now.live_sealed, all.sealed);
    same("bytes_live", now.bytes_live, all.bytes);
    same("bytes_sealed", now.bytes_sealed, all.bytes_sealed);
    same("allocations - frees", now.allocations - now.frees, now.live);
    same("refusals", now.refusals, all.refusals);
    compare_locked(now.bytes_locked + claimed_count * page_size());
  }

  // At the limit each family may have a key's page that was a secret's, which Linux charges twice (docs/rest.md).
  void compare_locked(std::size_t wanted) const {
    const std::size_t counted = bytes_locked();
    const std::size_t twice = shared_.in.is_tight() ? 2 * page_size() : 0;
    const std::size_t left = shared_.claims_stay_locked ? shared_things::claimed_pages * page_size() : 0;
    if (fuzz::locks_are_real() && (counted < wanted || counted > wanted + twice + left)) {
      disagree("the kernel counts %zu bytes as locked, not %zu", counted, wanted);
    }
  }

  void compare_maps() const {
    const fuzz::map_flags flags;
    for (const actor& each : actors_) each.for_each([&](const held_secret& one) { one.compare(flags); });
    for (const held_secret& one : shared_.boxes) one.compare(flags);
  }

  void end() {
    for (held_secret& one : shared_.boxes) {
      if (one.empty()) continue;
      one.verify(shared_.in);
      one.release();
    }
    (void)lockfast_trim();
    struct lockfast_statistics now = {};
    lockfast_get_statistics(&now);
    if (now.live != 0 || now.bytes_live != 0 || now.live_sealed != 0) disagree("%zu live at the end", now.live);
    if (now.bytes_locked > (shared_.in.is_tight() ? 2 * page_size() : 0)) disagree("%zu bytes locked at the end", now.bytes_locked);
    compare_locked(now.bytes_locked);
  }

  shared_things shared_;
  std::deque<actor> actors_;
  std::barrier<> together_{thread_count + 1};
  std::mutex turn_;
  const phase* current_ = nullptr;
  phase_number& done_;
};

// Calls body(done) in a child that is in a configuration; done is seen here as well.
template <class Body>
outcome in_configuration(const configuration& in, Body body) {
  void* const shared = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* const done = new (shared) phase_number(0);
  const ending end = in_child([&] {
    enter(in);
    body(*done);
  });
  // What a thread sanitizer has to say does not change how the process ends.
  outcome found = {.agreed = end.clean() && end.text.empty(), .text = end.text, .phases = done->load()};
  if (end.signal != 0) found.text += "ended by signal " + std::to_string(end.signal) + '\n';
  munmap(shared, page_size());
  return found;
}

}  // namespace

outcome carry_out(const plan& whole, const configuration& in, std::size_t places) {
  return in_configuration(in, [&](phase_number& done) {
    performance performed(in, places, done);
    std::size_t at = 0;
    performed.run([&] { return at == whole.size() ? nullptr : &whole[at++]; });
  });
}

outcome carry_out_for(std::chrono::seconds time, std::uint64_t seed, const configuration& in, std::size_t places) {
  constexpr std::size_t operations = 400;
  constexpr std::size_t settled = 20;  // pauses, before which a process holds more each time
  return in_configuration(in, [&](phase_number& done) {
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    holdings first;
    phase current;
    std::size_t number = 0;
    performance performed(in, places, done);
    performed.run([&]() -> const phase* {
      alarm(patience(120));
      const auto passed = clock::now() - begin;
      if (const holdings now = holdings::now(); number < settled || passed < time / 2) {
        first.widen(now);
      } else {
        const auto grown = [](std::size_t earlier, std::size_t later, std::size_t slack) { return later > earlier + earlier / 10 + slack; };
        if (grown(first.resident_pages, now.resident_pages, 256)) disagree("%zu pages in RAM, %zu before", now.resident_pages, first.resident_pages);
        if (grown(first.maps, now.maps, 64)) disagree("%zu maps, %zu before", now.maps, first.maps);
        if (grown(first.descriptors, now.descriptors, 0)) disagree("%zu descriptors, %zu before", now.descriptors, first.descriptors);
        if (grown(first.bytes_reserved, now.bytes_reserved, 1 << 20)) disagree("%zu bytes reserved, %zu before", now.bytes_reserved, first.bytes_reserved);
        if (grown(first.bytes_locked, now.bytes_locked, 1 << 20)) disagree("%zu bytes locked, %zu before", now.bytes_locked, first.bytes_locked);
      }
      if (passed >= time) return nullptr;
      current = phase_of(seed, number++, operations, places);
      return &current;
    });
  });
}

}  // namespace lockfast::stress
