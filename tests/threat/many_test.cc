// many_test.cc - as many isolated secrets as there is memory for: by guard markers, and by inaccessible pages without them.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "account.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/patience.h"
#include "support/probe.h"

namespace {

constexpr std::size_t size = 32;

class herd {
 public:
  explicit herd(std::size_t count) {
    all_.reserve(count);
    while (all_.size() < count) {
      void* const secret = lockfast_malloc_isolated(size);
      if (secret == nullptr) break;
      all_.push_back(static_cast<unsigned char*>(secret));
      sign(all_.size() - 1);
    }
  }
  [[nodiscard]] std::size_t size_of() const { return all_.size(); }
  [[nodiscard]] unsigned char* operator[](std::size_t at) const { return all_[at]; }

  // Of every step'th: its own bytes, guards of its own on both sides, and a first byte that can be written.
  void check(std::size_t step) const {
    for (std::size_t at = 0; at < all_.size(); at += step) {
      std::size_t signature = 0;
      std::memcpy(&signature, all_[at], sizeof signature);
      promised(signature == at, "each has its own bytes");
      promised(traps_on_read(all_[at] + size) && traps_on_write(all_[at] + size), "a guard behind");
      promised(traps_on_read(page_of(all_[at]) - 1), "a guard in front");
    }
  }
  // Frees every other one and allocates as many again, which fall into places of the freed.
  void renew_half() {
    for (std::size_t at = 0; at < all_.size(); at += 2) lockfast_free(all_[at]);
    for (std::size_t at = 0; at < all_.size(); at += 2) {
      all_[at] = static_cast<unsigned char*>(lockfast_malloc_isolated(size));
      promised(all_[at] != nullptr, "what was freed serves again");
      sign(at);
    }
  }
  void free_all() const {
    for (unsigned char* const each : all_) lockfast_free(each);
  }

 private:
  void sign(std::size_t at) const { std::memcpy(all_[at], &at, sizeof at); }
  std::vector<unsigned char*> all_;
};

struct lockfast_statistics counted() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now;
}

// Of four KiB of RAM each. LOCKFAST_TEST_SECRETS asks for another number, such as a million (docs/testing.md).
std::size_t herd_for_this_machine() {
  const char* const asked = std::getenv("LOCKFAST_TEST_SECRETS");
  return asked == nullptr ? 100'000 : std::strtoul(asked, nullptr, 10);
}

// Where hidden memory counts by user, the limit on it is root's too.
void lift_lock_limit() {
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  (void)setrlimit(RLIMIT_MEMLOCK, &none);
}

}  // namespace

TEST_CASE(
    "isolated secrets live at once by the hundred thousand, each between guards, in far fewer maps, where there are markers") {
  if (!has_guard_markers()) {
    MESSAGE("skipped: this kernel has no guard markers (MADV_GUARD_INSTALL, Linux 6.13)");
    return;
  }
  const std::size_t count = herd_for_this_machine();
  if (bytes_available() / 2 < count * page_size()) {
    MESSAGE("skipped: " << count << " pages are more than half of the memory that is available");
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  const ending end = in_child([&] {
    options("hidden=off");
    alarm(patience(600));
    if (counted().lock_limit != SIZE_MAX) skip("there is a limit on locks, which is met first");
    herd all(count);
    promised(all.size_of() == count, "all of them");
    const auto now = counted();
    dprintf(STDERR_FILENO, "%zu secrets, %zu maps of %zu\n", now.live_isolated, now.maps_used, now.map_limit);
    promised(now.live_isolated == count && now.live_unlocked == 0 && now.live_hidden == 0, "counts");
    // Without markers each would take two: from an eighth of the limit on, there is one map for a region of hundreds.
    promised(now.maps_used < now.map_limit / 8 + count / 100 + 1000,
             "hundreds of secrets to a map, from an eighth of the limit on");
    all.check(count / 5000);
    for (std::size_t at = 0; at < count; at += count / 10) {
      const std::string fault = untruth(all[at]);
      promised(fault.empty(), fault.c_str());
    }
    all.renew_half();
    all.check(count / 2000 + 1);
    promised(lockfast_audit() == 0, "whole canaries");
    all.free_all();
    promised(counted().live == 0, "none left");
    (void)lockfast_trim();
    promised(bytes_locked() < std::size_t{64} << 20, "the locks are given back");
  });
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  MESSAGE(end.text << "in " << seconds.count() << " s");
  if (!end.skipped()) CHECK(end.clean());
}

TEST_CASE("30,000 isolated secrets live at once on the system's default limit on maps: hidden, or locked without markers") {
  struct herd_kind {
    std::string policy;
    bool without_markers;
    std::size_t hidden;
  };
  constexpr std::size_t count = 30'000;
  for (const herd_kind& each :
       {herd_kind{"hidden=on", false, count}, herd_kind{"hidden=on", true, count}, herd_kind{"hidden=off", true, 0}}) {
    if (each.hidden != 0 && !has_hidden_memory()) continue;
    CAPTURE(each.policy);
    CAPTURE(each.without_markers);
    check_clean(in_child([&] {
      if (each.without_markers) {
        forbid_advice(advice_guard_install, EINVAL);
        prove(!has_guard_markers(), "the filter");
      }
      lift_lock_limit();
      options(each.policy);
      const auto before = counted();
      if (before.lock_limit != SIZE_MAX) skip("there is a limit on locks, which is met first");
      if (before.map_limit < 65530) skip("the limit on maps is below the system's default");
      if (static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) / 2 < count) skip("30,000 pages are more than half of the memory");
      herd all(count);
      promised(all.size_of() == count, "all of them");
      const auto now = counted();
      promised(now.live_isolated == count && now.live_hidden == each.hidden && now.live_unlocked == 0, "counts");
      all.check(31);
      const std::string fault = untruth(all[count / 2]);
      promised(fault.empty(), fault.c_str());
      all.renew_half();
      all.check(101);
      promised(lockfast_audit() == 0, "whole canaries");
      all.free_all();
    }));
  }
}

TEST_CASE("at the system's limit on maps no hidden secret is handed out without its guards") {
  if (!has_hidden_memory()) return;
  if (sanitized()) {
    MESSAGE("skipped: a sanitizer's run-time library needs maps of its own");
    return;
  }
  check_clean(in_child([] {
    lift_lock_limit();
    forbid_advice(advice_guard_install, EINVAL);
    options("hidden=on");
    if (counted().lock_limit != SIZE_MAX) skip("there is a limit on locks, which is met first");
    constexpr std::size_t more_than_fit = 100'000;
    const herd all(more_than_fit);
    if (all.size_of() == more_than_fit) skip("the limit on maps is not met");
    promised(errno == ENOMEM && counted().refusals >= 1, "a refusal");
    promised(all.size_of() >= 30'000, "as many as there is room for");
    all.check(3);
    promised(lockfast_audit() == 0, "whole canaries");
    all.free_all();
  }));
}
