// limit_test.cc - how many grouped secrets fit: under an ordinary user's lock limit, at that limit, and as root.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "behaviour/forked.h"
#include "behaviour/grouped.h"
#include "support/lock_budgets.h"
#include "support/page_state.h"

namespace {

// An ordinary user without the right to lock more than this, who can still read what the kernel says of the process.
void become_ordinary(std::size_t lock_limit) {
  const rlimit limit{lock_limit, lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
  if (geteuid() != 0) skip("only root can become an ordinary user");
  if (setgid(65534) != 0 || setuid(65534) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0) skip("no other user to become");
  prove(statistics().lock_limit == lock_limit, "a limit that counts");
}

// 1 MiB, or what large pages make of so many; no more than the 8 MiB that a system allows at first.
std::size_t small_limit() { return std::max(std::size_t{1} << 20, 128 * page_size()); }

void write_number(char* secret, std::size_t number) {
  std::memset(secret, static_cast<int>(number % 251), 32);
  std::memcpy(secret, &number, sizeof number);
}

bool holds_number(const char* secret, std::size_t number) {
  std::size_t found = 0;
  std::memcpy(&found, secret, sizeof found);
  return found == number && filled(secret + sizeof found, 32 - sizeof found, static_cast<unsigned char>(number % 251));
}

// So many live secrets of 32 bytes, each with a number of its own in it.
std::vector<char*> fill(std::size_t count) {
  std::vector<char*> all(count);
  for (std::size_t at = 0; at < count; ++at) {
    all[at] = static_cast<char*>(lockfast_malloc(32));
    promised(all[at] != nullptr, "a secret");
    write_number(all[at], at);
  }
  return all;
}

void promise_held(const std::vector<char*>& all) {
  for (std::size_t at = 0; at < all.size(); ++at) promised(holds_number(all[at], at), "each holds its number");
  promised(lockfast_audit() == 0, "whole canaries");
}

// Allocates until a refusal.
std::vector<char*> exhaust(std::size_t size) {
  std::vector<char*> all;
  for (;;) {
    errno = 0;
    auto* const secret = static_cast<char*>(lockfast_malloc(size));
    if (secret == nullptr) break;
    promised(receipt_of(secret).backing != LOCKFAST_UNLOCKED, "locked, each of them");
    std::memset(secret, 'x', size);
    all.push_back(secret);
    prove(all.size() < 1000000, "a limit");
  }
  promised(errno == ENOMEM, "ENOMEM");
  return all;
}

}  // namespace

TEST_CASE("an ordinary user holds 100,000 secrets of 32 bytes, live and locked, under a lock limit of 8 MiB") {
  check_clean(in_child([] {
    constexpr std::size_t limit = std::size_t{8} << 20;
    become_ordinary(limit);
    options("lock=required");
    const std::vector<char*> all = fill(100000);
    const auto now = statistics();
    promised(now.live_grouped == 100000 && now.live == 100000 && now.live_unlocked == 0, "live");
    promised(now.bytes_locked <= limit && now.bytes_locked >= now.bytes_live, "locked, by our account");
    promised(bytes_locked() <= limit && bytes_locked() >= now.bytes_live, "locked, by the system's");
    for (std::size_t at = 0; at < all.size(); at += 997) {
      promised(receipt_of(all[at]).backing != LOCKFAST_UNLOCKED, "a receipt of the lock");
      promised(state_of(all[at]).locked && state_of(all[at] + 31).locked, "the lock itself");
    }
    promise_held(all);
    for (char* const secret : all) lockfast_free(secret);
    promised(statistics().live == 0, "none is live");
  }));
}

TEST_CASE("root holds 1,000,000 live secrets of 32 bytes in at most 96 locked bytes each") {
  check_clean(in_child([] {
    constexpr std::size_t count = 1000000;
    if (statistics().lock_limit != SIZE_MAX) skip("only who may lock without a limit");
    const std::vector<char*> all = fill(count);
    const auto now = statistics();
    promised(now.live_grouped == count && now.live == count && now.live_unlocked == 0, "live");
    promised(now.bytes_locked <= 96 * count && now.bytes_locked >= now.bytes_live, "locked, by our account");
    promised(bytes_locked() <= 96 * count, "locked, by the system's");
    for (std::size_t at = 0; at < count; at += 49999) promised(state_of(all[at]).locked, "the lock itself");
    promise_held(all);
    for (char* const secret : all) lockfast_free(secret);
    (void)lockfast_trim();
    promised(statistics().bytes_locked == 0 && statistics().live == 0, "all is given back");
  }));
}

TEST_CASE(
    "at the lock limit a required lock is refused with ENOMEM, and what is freed serves the next, of the size or another") {
  check_clean(in_child([] {
    const std::size_t limit = small_limit();
    become_ordinary(limit);
    options("lock=required");
    std::vector<char*> all = exhaust(32);
    const auto full = statistics();
    promised(full.live == all.size() && full.refusals >= 1, "counts");
    promised(full.bytes_locked <= lock_budgets() * limit, "the limit is kept");
    promised(all.size() > limit / 128, "the limit is used");

    // One for one.
    for (int round = 0; round < 200; ++round) {
      lockfast_free(all.back());
      all.back() = static_cast<char*>(lockfast_malloc(32));
      promised(all.back() != nullptr, "the next of the size, as soon as one is freed");
    }
    // All of them, for others of every size.
    for (char* const secret : all) lockfast_free(secret);
    for (const std::size_t size : {1U, 100U, 1000U, 5000U, 16384U, 100000U, 32U}) {
      all = exhaust(size);
      promised(all.size() * size > limit / 4 || size == 1, "most of the limit");
      promised(lockfast_audit() == 0, "whole canaries");
      for (char* const secret : all) lockfast_free(secret);
    }
    // A page's worth, for another size.
    all = exhaust(32);
    std::ranges::sort(all);
    const std::size_t half = all.size() / 2;
    for (std::size_t at = 0; at < half; ++at) lockfast_free(all[at]);
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(half));
    char* const other = static_cast<char*>(lockfast_malloc(3000));
    promised(other != nullptr && state_of(other).locked, "another size, of pages that nobody uses");
    auto* const isolated = static_cast<char*>(lockfast_malloc_isolated(5000));
    promised(isolated != nullptr && state_of(isolated).locked, "an isolated one, the same");
    lockfast_free(other);
    lockfast_free(isolated);
    for (char* const secret : all) lockfast_free(secret);
    promised(statistics().live == 0, "none is live");
  }));
}

TEST_CASE("at the lock limit what an isolated secret or a claim leaves serves a grouped one") {
  check_clean(in_child([] {
    const std::size_t limit = small_limit();
    become_ordinary(limit);
    options("lock=required");
    std::vector<void*> isolated;
    while (void* const secret = lockfast_malloc_isolated(32)) isolated.push_back(secret);
    prove(isolated.size() > 100, "isolated secrets");
    promised(lockfast_malloc(32) == nullptr && errno == ENOMEM, "refused");
    for (void* const secret : isolated) lockfast_free(secret);
    char* const secret = secret_of(32);
    std::vector<char> own(limit);
    promised(lockfast_mlock(own.data(), own.size()) == -1, "no more than the limit");
    lockfast_free(secret);
    promised(lockfast_mlock(own.data(), own.size() - 2 * page_size()) == 0, "pages that rest make way for a claim");
    promised(lockfast_munlock(own.data(), own.size() - 2 * page_size()) == 0, "given up");
    lockfast_free(secret_of(32));
  }));
}

TEST_CASE("a secret that waits in another thread's cache does not refuse this one's at the lock limit for ever") {
  check_clean(in_child([] {
    become_ordinary(small_limit());
    options("lock=required");
    const std::vector<char*> all = exhaust(32);
    std::thread([&] {
      for (char* const secret : all) lockfast_free(secret);
    }).join();
    promised(exhaust(1000).size() > 500, "all but a little serves again, since that thread has ended");
  }));
}

TEST_CASE("over the lock limit a preferred lock serves unlocked, and receipts and statistics say so") {
  check_clean(in_child([] {
    const std::size_t limit = lock_budgets() * 256 * 1024;
    become_ordinary(256 * 1024);
    options("lock=preferred");
    std::vector<char*> all;
    std::size_t unlocked = 0;
    for (int count = 0; count < 20000; ++count) {
      all.push_back(secret_of(32));
      const lockfast_receipt receipt = receipt_of(all.back());
      promised((receipt.backing == LOCKFAST_UNLOCKED) == (receipt.lock_error != 0), "the reason");
      unlocked += receipt.backing == LOCKFAST_UNLOCKED;
      if (count % 500 == 0) {
        promised(state_of(all.back()).locked == (receipt.backing != LOCKFAST_UNLOCKED), "the lock itself");
        promised(state_of(all.back()).undumpable == advice_is_followed(), "out of core dumps");
      }
    }
    const auto now = statistics();
    promised(unlocked > 5000 && unlocked < 20000, "some of either");
    promised(now.live_unlocked == unlocked && now.live == all.size(), "counts");
    promised(now.bytes_locked <= limit && bytes_locked() <= limit, "the limit is kept");
    promised(lockfast_audit() == 0, "whole canaries");
    all.front()[32] ^= 1;
    promised(lockfast_check(all.front()) == -1, "canaries are verified");
    all.front()[32] ^= 1;
    for (char* const secret : all) lockfast_free(secret);
    promised(statistics().live_unlocked == 0, "none is left");
  }));
}

TEST_CASE("without any right to lock a required lock is refused, and a preferred one says so") {
  for (const bool preferred : {false, true}) {
    CAPTURE(preferred);
    check_clean(in_child([&] {
      become_ordinary(0);
      options(preferred ? "lock=preferred" : "lock=required");
      errno = 0;
      auto* const secret = static_cast<char*>(lockfast_malloc(32));
      if (!preferred) {
        promised(secret == nullptr && errno == ENOMEM, "refused with ENOMEM");
        promised(lockfast_calloc(1, 32) == nullptr && lockfast_aligned_alloc(64, 32) == nullptr, "refused");
        promised(statistics().bytes_locked == 0, "nothing is locked");
        return;
      }
      promised(secret != nullptr && receipt_of(secret).backing == LOCKFAST_UNLOCKED, "unlocked, by its receipt");
      promised(receipt_of(secret).placement == LOCKFAST_GROUPED && receipt_of(secret).lock_error != 0, "and why");
      promised(!state_of(secret).locked && statistics().live_unlocked == 1, "and by the system's account");
      lockfast_free(secret);
    }));
  }
}

TEST_CASE("a child that is refused the locks that are required takes no new secret from its parent's pages") {
  check_clean(in_child([] {
    options("lock=required,fork=inherit,hidden=off");
    become_ordinary(std::size_t{1} << 20);
    std::vector<char*> all = fill(100);
    const rlimit none{0, 0};
    prove(setrlimit(RLIMIT_MEMLOCK, &none) == 0, "no locks for the child");
    forked([&] {
      promise_held(all);
      promised(receipt_of(all[0]).backing == LOCKFAST_UNLOCKED, "a receipt that says so");
      errno = 0;
      promised(lockfast_malloc(32) == nullptr && errno == ENOMEM, "refused");
      for (char* const secret : all) lockfast_free(secret);
      errno = 0;
      promised(lockfast_malloc(32) == nullptr && errno == ENOMEM, "refused when the parent's are freed, too");
      promised(statistics().live == 0, "none is live");
    });
    promise_held(all);
  }));
}
