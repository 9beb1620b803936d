// backing_test.cc - which pages a secret gets, over the simulated host: hidden, locked or none; between guard markers, or between
// inaccessible pages that are maps of their own; by what the system has, and by how much of it is left.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/receipt.h"

namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

struct counts {
  std::size_t hidden = 0;
  std::size_t locked = 0;
  std::size_t unlocked = 0;
};

// Secrets of one kind, each written from end to end.
class held {
 public:
  held(bool in_group, std::size_t size, std::size_t most) {
    while (all_.size() < most) {
      void* const secret = in_group ? lockfast_malloc(size) : lockfast_malloc_isolated(size);
      if (secret == nullptr) break;
      std::memset(secret, 's', size);
      all_.push_back(secret);
    }
  }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  [[nodiscard]] void* operator[](std::size_t at) const { return all_[at]; }

  // What the receipts say, which the statistics must agree with.
  [[nodiscard]] counts by_receipt() const {
    counts seen;
    for (const void* const each : all_) {
      const lockfast_receipt receipt = receipt_of(each);
      seen.hidden += receipt.backing == LOCKFAST_HIDDEN;
      seen.locked += receipt.backing == LOCKFAST_LOCKED;
      seen.unlocked += receipt.backing == LOCKFAST_UNLOCKED;
      promised((receipt.backing == LOCKFAST_HIDDEN) == (receipt.hide_error == 0), "why it is not hidden");
      promised((receipt.backing == LOCKFAST_UNLOCKED) == (receipt.lock_error != 0), "why it is not locked");
    }
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    promised(now.live == all_.size() && now.live_hidden == seen.hidden && now.live_unlocked == seen.unlocked, "statistics");
    return seen;
  }
  void free_all() {
    promised(lockfast_audit() == 0, "whole canaries");
    for (void* const each : all_) lockfast_free(each);
    all_.clear();
  }

 private:
  std::vector<void*> all_;
};

void nothing_left() {
  (void)lockfast_trim();
  promised(simulated::bytes_hidden() == 0 && simulated::bytes_locked() == 0, "nothing is hidden or locked any more");
}

}  // namespace

TEST_CASE("hidden pages are used as long as there are any, then locked ones, and what is freed hides again") {
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    check_clean(in_child([&] {
      simulated::set_hidden_limit(16 * page);
      options("lock=required,freed=trap");
      held all(in_group, 3000, 64);
      promised(all.count() == 64, "all of them");
      const counts seen = all.by_receipt();
      promised(seen.hidden > 0 && seen.locked > 0 && seen.unlocked == 0, "some hidden, the others locked");
      if (!in_group) promised(seen.hidden == 16, "as many as there are pages to hide");
      promised(simulated::bytes_hidden() <= 16 * page && simulated::bytes_hidden() >= 14 * page, "the budget is used");
      promised(receipt_of(all[63]).hide_error == EAGAIN || receipt_of(all[63]).hide_error == ENOMEM, "the reason: the budget");
      all.free_all();
      nothing_left();
      held again(in_group, 3000, 4);
      promised(again.by_receipt().hidden == 4, "the budget is there again");
      again.free_all();
    }));
  }
}

TEST_CASE("trim gives back the hidden pages of what was freed, while another secret of the same region lives") {
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    check_clean(in_child([&] {
      simulated::set_hidden_limit(std::size_t{64} << 20);
      options("freed=trap");
      constexpr std::size_t one_slab = 64 * page;
      held first(in_group, 3000, 1);
      held all(in_group, 3000, 450);
      promised(simulated::bytes_hidden() > 4 * one_slab, "several slabs' pages, or as many places'");
      for (std::size_t at = 0; at < all.count(); ++at) lockfast_free(all[at]);
      (void)lockfast_trim();
      promised(simulated::bytes_hidden() <= one_slab, "what is left is that of the one that lives");
      promised(receipt_of(first[0]).backing == LOCKFAST_HIDDEN && lockfast_check(first[0]) == 0, "which is as it was");
      first.free_all();
      nothing_left();
    }));
  }
}

TEST_CASE("pages that the system does not take back are kept, wiped, counted, and serve again; and go when it takes them") {
  const auto all_kept = [](const char* hidden, bool in_group, std::size_t size) {
    check_clean(in_child([=] {
      options(hidden);
      simulated::set_hidden_limit(SIZE_MAX);
      constexpr std::size_t count = 700;
      held first(in_group, size, count);
      promised(first.count() == count, "secrets");
      simulated::set_keeps_pages(true);
      first.free_all();
      (void)lockfast_trim();
      promised(lockfast_trim() == 0, "nothing goes back");
      struct lockfast_statistics counted;
      lockfast_get_statistics(&counted);
      promised(counted.live == 0 && counted.frees == count, "every secret is freed");
      promised(counted.bytes_locked == simulated::bytes_hidden() + simulated::bytes_locked(), "what is kept is counted");
      promised(counted.bytes_locked >= count * 32, "and is there");
      const std::size_t before = counted.bytes_locked;
      held second(in_group, size, count);
      promised(second.count() == count, "secrets again");
      lockfast_get_statistics(&counted);
      promised(counted.bytes_locked <= before + 16 * page, "in the same pages");
      second.free_all();
      simulated::set_keeps_pages(false);
      promised(lockfast_trim() != 0, "they go back");
      promised(simulated::bytes_hidden() + simulated::bytes_locked() == 0, "all of them");
    }));
  };
  for (const char* const hidden : {"hidden=on", "hidden=off"}) {
    CAPTURE(hidden);
    for (const bool in_group : {false, true}) {
      for (const std::size_t size : {32U, 5000U}) all_kept(hidden, in_group, size);
    }
    all_kept(hidden, false, 100000);
  }
}

TEST_CASE("advice that is refused where hidden pages were is in the receipt of what is locked there") {
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    check_clean(in_child([=] {
      options("lock=required,hidden=on");
      simulated::set_hidden_limit(page * 64);
      const held first(in_group, 4000, 10);
      const lockfast_receipt hidden = receipt_of(first[0]);
      promised(hidden.backing == LOCKFAST_HIDDEN && hidden.dump_error == 0 && hidden.fork_error == 0, "nothing is refused");
      simulated::set_advice_error(EAGAIN);
      const held second(in_group, 4000, 200);
      const lockfast_receipt locked = receipt_of(second[second.count() - 1]);
      promised(locked.backing == LOCKFAST_LOCKED, "the budget is used up");
      promised(locked.dump_error == EAGAIN && locked.fork_error == EAGAIN, "and the advice was refused");
    }));
  }
}

TEST_CASE("with hidden and locked pages used up a required lock is refused, and a preferred one is served with both reasons") {
  for (const bool in_group : {false, true}) {
    for (const bool preferred : {false, true}) {
      CAPTURE(in_group);
      CAPTURE(preferred);
      check_clean(in_child([&] {
        simulated::set_hidden_limit(8 * page);
        simulated::set_lock_limit(8 * page);
        options(preferred ? "lock=preferred" : "lock=required");
        held all(in_group, 3000, 100);
        const counts seen = all.by_receipt();
        promised(seen.hidden > 0 && seen.locked > 0, "both budgets are used");
        promised((seen.unlocked > 0) == preferred && (all.count() == 100) == preferred, "refused, or unlocked");
        promised(simulated::bytes_hidden() <= 8 * page && simulated::bytes_locked() <= 8 * page, "no more than there is");
        all.free_all();
        nothing_left();
      }));
    }
  }
}

TEST_CASE(
    "hidden=off hides nothing, and says so; where the system has no hidden memory, on and auto say why; auto hides nothing where the "
    "machine can hibernate") {
  const struct {
    const char* policy;
    std::size_t budget;
    bool hibernates;
    int reason;
  } cases[] = {{"hidden=off", 64 * page, false, ECANCELED}, {"hidden=on", 0, false, ENOSYS},
               {"hidden=auto", 0, false, ENOSYS},           {"hidden=on", 64 * page, false, 0},
               {"hidden=auto", 64 * page, false, 0},        {"hidden=on", 64 * page, true, 0},
               {"hidden=auto", 64 * page, true, ECANCELED}};
  for (const auto& each : cases) {
    CAPTURE(each.policy);
    check_clean(in_child([&] {
      simulated::set_hidden_limit(each.budget);
      simulated::set_hibernates(each.hibernates);
      options(each.policy);
      for (const bool in_group : {false, true}) {
        held one(in_group, 100, 1);
        promised(receipt_of(one[0]).hide_error == each.reason, "the reason");
        promised(receipt_of(one[0]).backing == (each.reason == 0 ? LOCKFAST_HIDDEN : LOCKFAST_LOCKED), "the backing");
        promised((simulated::bytes_hidden() != 0) == (each.reason == 0), "what the system was asked for");
        one.free_all();
        (void)lockfast_trim();
      }
    }));
  }
}

TEST_CASE("where maps are short and locks are not, secrets lie between guard markers, and those are put back when they go") {
  check_clean(in_child([] {
    simulated::set_guard_markers(true);
    simulated::set_map_limit(1000);
    options("hidden=off,freed=trap");
    held all(false, 3000, 600);
    promised(all.count() == 600 && all.by_receipt().locked == 600, "locked");
    const std::size_t marked = simulated::bytes_marked();
    // Each is between two markers; a region is marked as a whole, before a place of it is used.
    promised(marked >= 601 * page, "markers");
    promised(simulated::count(simulated::call::unmark) == 600, "taken off one by one");
    promised(simulated::count(simulated::call::lock) + simulated::count(simulated::call::renew_lock) == 0,
             "under the lock of the region");
    const std::size_t regions = simulated::count(simulated::call::mark);
    promised(regions > 0 && regions < 10, "one map for hundreds");
    all.free_all();
    held again(false, 3000, 600);
    promised(again.count() == 600 && again.by_receipt().locked == 600, "in places that were used before");
    again.free_all();
    (void)lockfast_trim();
    promised(simulated::count(simulated::call::mark_again) >= 600, "put back");
    promised(simulated::bytes_locked() == 0 && simulated::bytes_marked() == 0, "and given back with their regions");
  }));
}

TEST_CASE("markers are used from an eighth of the maps on, and before that none") {
  check_clean(in_child([] {
    simulated::set_guard_markers(true);
    simulated::set_map_limit(16'000);
    options("hidden=off");
    constexpr std::size_t of_the_maps = 16'000 / 8 / 2;  // two maps for a secret
    held first(false, 100, of_the_maps / 2);
    promised(simulated::bytes_marked() == 0, "no markers while there are maps enough");
    held more(false, 100, 2 * of_the_maps);
    promised(simulated::bytes_marked() != 0, "markers from then on");
    // Between markers a place is locked already; elsewhere some are locked ahead, while they are inaccessible.
    using simulated::call;
    const std::size_t unmarked = simulated::count(call::lock) + simulated::count(call::renew_lock);
    promised(unmarked >= of_the_maps / 2 && unmarked <= of_the_maps, "an eighth of the maps at most without");
    first.free_all();
    more.free_all();
  }));
}

TEST_CASE(
    "no markers where the system has none, where locks are short, where a child is to see zeros, or where pages are hidden") {
  struct lack {
    const char* policy;
    bool markers;
    std::size_t lock_limit;
    std::size_t hidden_limit;
  };
  for (const lack each : {lack{"hidden=off", false, SIZE_MAX, 0}, lack{"hidden=off", true, 900 * page, 0},
                          lack{"hidden=off,fork=wipe", true, SIZE_MAX, 0}, lack{"hidden=on", true, SIZE_MAX, 4000 * page}}) {
    CAPTURE(each.policy);
    CAPTURE(each.markers);
    check_clean(in_child([&] {
      simulated::set_guard_markers(each.markers);
      simulated::set_map_limit(1000);
      simulated::set_lock_limit(each.lock_limit);
      simulated::set_hidden_limit(each.hidden_limit);
      options(each.policy);
      held all(false, 3000, 600);
      promised(all.count() == 600, "all of them");
      const counts seen = all.by_receipt();
      promised(each.hidden_limit != 0 ? seen.hidden == 600 : seen.locked == 600, "the backing");
      promised(simulated::count(simulated::call::mark) == 0 && simulated::bytes_marked() == 0, "no markers");
      all.free_all();
      nothing_left();
    }));
  }
}

TEST_CASE("a region that can't be marked has inaccessible pages that are maps of their own") {
  check_clean(in_child([] {
    simulated::set_guard_markers(true);
    simulated::set_map_limit(100);
    options("hidden=off");
    held(true, 48, 1).free_all();           // the pool starts, while there is no limit
    simulated::set_lock_limit(200 * page);  // less than a region has pages
    held all(false, 3000, 100);
    promised(all.count() == 100 && all.by_receipt().locked == 100, "locked");
    promised(simulated::count(simulated::call::mark) != 0 && simulated::bytes_marked() == 0, "asked for, and refused");
    all.free_all();
    nothing_left();
  }));
}
