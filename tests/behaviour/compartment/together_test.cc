// together_test.cc - secrets that are opened and closed together: what they are, where they lie, what is left of them.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "behaviour/compartment/compartment.h"
#include "support/page_state.h"

namespace {

constexpr unsigned char fresh = 0;
constexpr std::size_t sizes[] = {0, 1, 32, 100, 4096, max_grouped, max_grouped + 1, 100000, 1500000};
constexpr lockfast_access accesses[] = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE};

}  // namespace

TEST_CASE("a compartment is open to its creator, and its secrets of any size are grouped, locked, and out of core dumps") {
  check_clean(in_child([] {
    errno = 0;
    compartment* const keys = new_compartment();
    promised(errno == 0, "errno as it was");
    std::vector<char*> all;
    std::size_t bytes = 0;
    for (const std::size_t size : sizes) {
      errno = 0;
      auto* const secret = static_cast<char*>(lockfast_compartment_malloc(keys, size));
      promised(secret != nullptr && errno == 0, "a secret, and errno as it was");
      const lockfast_receipt receipt = receipt_of(secret);
      promised(receipt.size == size && lockfast_size(secret) == size, "its size");
      promised(receipt.placement == LOCKFAST_GROUPED && receipt.access == LOCKFAST_READWRITE, "its placement and access");
      promised(receipt.backing != LOCKFAST_UNLOCKED && receipt.lock_error == 0 && receipt.dump_error == dump_error_here(),
               "its protections");
      promised(address_of(secret) % 16 == 0, "a multiple of 16");
      promised(filled(secret, size, fresh), "fresh bytes");
      std::memset(secret, 'x', size);
      promised(lockfast_check(secret) == 0, "whole canaries");
      if (size > 0) promised(state_of(secret).locked && state_of(secret + size - 1).locked, "the lock itself");
      if (size > 0) promised(state_of(secret).undumpable == advice_is_followed(), "out of core dumps");
      all.push_back(secret);
      bytes += size;
    }
    errno = 0;  // the questions above to the kernel may have changed it
    const auto now = statistics();
    promised(now.live_grouped == all.size() && now.live == all.size() && now.bytes_live == bytes, "counts");
    promised(lockfast_audit() == 0, "whole canaries");
    for (char* const secret : all) lockfast_free(secret);
    promised(statistics().live == 0, "none is live");
    lockfast_compartment_destroy(keys);
    (void)lockfast_trim();
    promised(statistics().bytes_locked == 0, "nothing is locked for nothing");
    promised(errno == 0, "errno as it was");
  }));
}

TEST_CASE("protect opens and closes every secret of a compartment, and none of another or of no compartment") {
  check_clean(in_child([] {
    compartment* const one = new_compartment();
    compartment* const other = new_compartment();
    std::vector<char*> ones, others, loose;
    for (const std::size_t size : sizes) {
      if (size == 0) continue;
      ones.push_back(secret_in(one, size));
      others.push_back(secret_in(other, size));
      loose.push_back(static_cast<char*>(lockfast_malloc(size)));
      prove(loose.back() != nullptr, "a secret of no compartment");
    }
    for (const lockfast_access first : accesses) {
      for (const lockfast_access second : accesses) {
        errno = 0;
        open_to(one, first);
        open_to(other, second);
        open_to(other, second);
        promised(errno == 0, "errno as it was");
        for (std::size_t at = 0; at < ones.size(); ++at) {
          promised(has(ones[at], first) && has(ones[at] + lockfast_size(ones[at]) - 1, first), "what was asked for");
          promised(has(others[at], second), "what was asked for the other");
          promised(has(loose[at], LOCKFAST_READWRITE), "no change of the others");
          promised(receipt_of(ones[at]).access == first && receipt_of(others[at]).access == second, "receipts");
        }
      }
    }
    open_to(one, LOCKFAST_READONLY);
    for (char* const secret : ones) promised(filled(secret, lockfast_size(secret), 'x'), "their bytes");
    lockfast_compartment_destroy(one);
    lockfast_compartment_destroy(other);
    for (char* const secret : loose) lockfast_free(secret);
  }));
}

TEST_CASE("a touch against the access of a compartment kills") {
  for (const lockfast_access access : accesses) {
    for (const bool write : {false, true}) {
      for (const std::size_t size : {32U, 200000U}) {
        CAPTURE(access);
        CAPTURE(write);
        const ending end = in_child([&] {
          compartment* const keys = new_compartment();
          volatile char* const secret = secret_in(keys, size);
          prove(lockfast_compartment_protect(keys, access) == 0, "an access");
          if (write) {
            secret[size - 1] = 1;
          } else {
            promised(secret[size - 1] == 'x', "what was written");
          }
        });
        CAPTURE(end.text);
        const bool allowed = access == LOCKFAST_READWRITE || (access == LOCKFAST_READONLY && !write);
        if (allowed) CHECK(end.clean());
        if (!allowed) CHECK(end.trapped());
        if (!allowed) CHECK(end.text.empty());
      }
    }
  }
}

TEST_CASE("lockfast_protect of one secret of a compartment changes them all") {
  check_clean(in_child([] {
    compartment* const keys = new_compartment();
    char* const one = secret_in(keys, 32);
    char* const other = secret_in(keys, 20000);
    char* const loose = secret_of(32);
    for (const lockfast_access access : accesses) {
      promised(lockfast_protect(one, access) == 0 && has(one, access) && has(other, access), "both");
      promised(lockfast_protect(other, LOCKFAST_NOACCESS) == 0 && has(one, LOCKFAST_NOACCESS), "both");
    }
    errno = 0;
    promised(lockfast_protect(one, static_cast<lockfast_access>(3)) == -1 && errno == EINVAL, "no such access");
    errno = 0;
    promised(lockfast_compartment_protect(keys, static_cast<lockfast_access>(3)) == -1 && errno == EINVAL, "no such access");
    promised(has(one, LOCKFAST_NOACCESS), "as it was");
    promised(has(loose, LOCKFAST_READWRITE), "no change of the others");
    lockfast_compartment_destroy(keys);
    lockfast_free(loose);
  }));
}

TEST_CASE("malloc, size, check, describe, audit, realloc and free serve a compartment whatever its access") {
  check_clean(in_child([] {
    options("hidden=off");  // what is looked at is closed
    for (const lockfast_access access : accesses) {
      compartment* const keys = new_compartment();
      open_to(keys, access);
      std::vector<char*> all;
      for (const std::size_t size : sizes) {
        errno = 0;
        auto* const secret = static_cast<char*>(lockfast_compartment_malloc(keys, size));
        promised(secret != nullptr && errno == 0, "malloc");
        promised(lockfast_size(secret) == size && lockfast_check(secret) == 0, "size and check");
        promised(receipt_of(secret).access == access && receipt_of(secret).size == size, "describe");
        if (size > 0) promised(has(secret, access), "the access is as it was");
        all.push_back(secret);
      }
      promised(lockfast_audit() == 0, "audit");
      for (char*& secret : all) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{300}, std::size_t{50000}, lockfast_size(secret)}) {
          char* const moved = static_cast<char*>(lockfast_realloc(secret, size));
          promised(moved != nullptr && lockfast_size(moved) == size && receipt_of(moved).placement == LOCKFAST_GROUPED,
                   "realloc");
          promised(receipt_of(moved).access == access && (size == 0 || has(moved, access)), "the access is as it was");
          secret = moved;
        }
      }
      promised(errno == 0, "errno as it was");
      for (char* const secret : all) {
        const std::size_t size = lockfast_size(secret);
        lockfast_free(secret);
        promised(gone(secret, size), "wiped");
      }
      promised(statistics().live == 0, "none is live");
      lockfast_compartment_destroy(keys);
    }
  }));
}

TEST_CASE("realloc in a closed compartment keeps the bytes, shows no others, and leaves none behind") {
  check_clean(in_child([] {
    options("hidden=off");  // what is looked at is closed
    std::mt19937 random(11);
    compartment* const keys = new_compartment();
    char* const neighbour = secret_in(keys, 32);
    std::vector<unsigned char> wanted;
    auto* secret = static_cast<char*>(lockfast_compartment_malloc(keys, 0));
    prove(secret != nullptr, "a secret");
    for (int round = 0; round < 1500; ++round) {
      const std::size_t old = wanted.size();
      const std::size_t size = random() % (random() % 8 == 0 ? 60000 : 700);
      open_to(keys, LOCKFAST_NOACCESS);
      char* const moved = static_cast<char*>(lockfast_realloc(secret, size));
      promised(moved != nullptr, "a secret of another size");
      if (moved != secret) promised(gone(secret, old), "nothing where it was");
      secret = moved;
      if (size > 0) promised(has(secret, LOCKFAST_NOACCESS), "closed still");
      open_to(keys, LOCKFAST_READWRITE);
      wanted.resize(size, fresh);
      promised(std::memcmp(secret, wanted.data(), size) == 0, "its bytes");
      for (int count = 0; count < 10 && size > 0; ++count) {
        const std::size_t at = random() % size;
        wanted[at] = static_cast<unsigned char>(random());
        secret[at] = static_cast<char>(wanted[at]);
      }
      promised(lockfast_check(secret) == 0, "whole canaries");
    }
    promised(filled(neighbour, 32, 'x') && lockfast_check(neighbour) == 0, "its neighbour");
    lockfast_compartment_destroy(keys);
  }));
}

TEST_CASE("destroy wipes and frees every secret, whatever the access; of NULL it is nothing") {
  check_clean(in_child([] {
    options("hidden=off");  // what is looked at is closed
    lockfast_compartment_destroy(nullptr);
    for (const lockfast_access access : accesses) {
      compartment* const kept = new_compartment();
      char* const survivor = secret_in(kept, 32);
      compartment* const keys = new_compartment();
      std::vector<std::pair<char*, std::size_t>> all;
      for (const std::size_t size : sizes) {
        for (int count = 0; count < 3; ++count) all.emplace_back(secret_in(keys, size), size);
      }
      const std::size_t locked = statistics().bytes_locked;
      open_to(keys, access);
      errno = 0;
      lockfast_compartment_destroy(keys);
      promised(errno == 0, "errno as it was");
      for (const auto& [secret, size] : all) {
        promised(lockfast_size(secret) == 0 && gone(secret, size), "nothing is left");
      }
      promised(statistics().live == 1, "the other compartment's");
      promised(has(survivor, LOCKFAST_READWRITE) && filled(survivor, 32, 'x') && lockfast_check(survivor) == 0, "whole");
      lockfast_compartment_destroy(kept);
      (void)lockfast_trim();
      promised(statistics().bytes_locked == 0 && statistics().live == 0 && locked > 0, "all is given back");
    }
  }));
}

TEST_CASE("compartments come and go without end") {
  check_clean(in_child([] {
    for (int round = 0; round < 3000; ++round) {
      compartment* const keys = new_compartment();
      char* const secret = secret_in(keys, 32);
      promised(has(secret, LOCKFAST_READWRITE), "open");
      open_to(keys, LOCKFAST_NOACCESS);
      promised(has(secret, LOCKFAST_NOACCESS), "closed");
      if (round == 100) (void)lockfast_trim();
      lockfast_compartment_destroy(keys);
    }
    (void)lockfast_trim();
    const auto now = statistics();
    promised(now.live == 0 && now.bytes_locked == 0, "none is live");
    promised(now.bytes_reserved < std::size_t{256} << 20, "address space is given back");
  }));
}

TEST_CASE("more compartments than the processor has keys are each opened and closed on their own") {
  check_clean(in_child([] {
    constexpr std::size_t count = 60;
    std::vector<compartment*> all;
    std::vector<char*> secrets;
    for (std::size_t at = 0; at < count; ++at) {
      all.push_back(new_compartment());
      secrets.push_back(secret_in(all.back(), 1 + at * 100));
      std::memset(secrets.back(), static_cast<int>(at), 1 + at * 100);
      open_to(all.back(), LOCKFAST_NOACCESS);
    }
    for (std::size_t at = 0; at < count; ++at) {
      open_to(all[at], accesses[1 + at % 2]);
      for (std::size_t other = 0; other < count; ++other) {
        promised(has(secrets[other], other == at ? accesses[1 + at % 2] : LOCKFAST_NOACCESS), "one is open");
      }
      promised(filled(secrets[at], 1 + at * 100, static_cast<unsigned char>(at)), "its bytes");
      open_to(all[at], LOCKFAST_NOACCESS);
    }
    for (std::size_t at = 0; at < count; at += 2) lockfast_compartment_destroy(all[at]);
    for (std::size_t at = 1; at < count; at += 2) {
      promised(has(secrets[at], LOCKFAST_NOACCESS) && lockfast_check(secrets[at]) == 0, "closed still");
      lockfast_compartment_destroy(all[at]);
    }
    promised(statistics().live == 0, "none is live");
  }));
}

TEST_CASE("sizes that can't be are refused with ENOMEM, and the compartment serves on") {
  check_clean(in_child([] {
    compartment* const keys = new_compartment();
    const auto before = statistics();
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, SIZE_MAX / 2, (std::size_t{1} << 30) + 1}) {
      errno = 0;
      promised(lockfast_compartment_malloc(keys, size) == nullptr && errno == ENOMEM, "ENOMEM");
    }
    const auto after = statistics();
    promised(after.refusals == before.refusals + 5 && after.bytes_reserved == before.bytes_reserved, "nothing is left behind");
    char* const secret = secret_in(keys, 32);
    errno = 0;
    promised(lockfast_realloc(secret, SIZE_MAX) == nullptr && errno == ENOMEM, "ENOMEM");
    promised(filled(secret, 32, 'x') && lockfast_check(secret) == 0, "as it was");
    lockfast_compartment_destroy(keys);
  }));
}

TEST_CASE("a compartment's secrets share no page with secrets outside it") {
  check_clean(in_child([] {
    compartment* const keys = new_compartment();
    compartment* const others = new_compartment();
    std::vector<std::pair<const char*, int>> pages;
    for (int count = 0; count < 500; ++count) {
      pages.emplace_back(page_of(secret_in(keys, 40)), 1);
      pages.emplace_back(page_of(secret_in(others, 40)), 2);
      pages.emplace_back(page_of(secret_of(40)), 3);
    }
    std::ranges::sort(pages);
    for (std::size_t at = 1; at < pages.size(); ++at) {
      promised(pages[at - 1].first != pages[at].first || pages[at - 1].second == pages[at].second, "pages of its own");
    }
  }));
}

TEST_CASE("wipe_all wipes a compartment's secrets, whatever its access, and its canaries stay whole") {
  check_clean(in_child([] {
    std::vector<compartment*> all;
    std::vector<std::pair<char*, std::size_t>> secrets;
    for (std::size_t at = 0; at < 30; ++at) {
      all.push_back(new_compartment());
      for (const std::size_t size : {1U, 32U, 5000U, 40000U}) secrets.emplace_back(secret_in(all.back(), size), size);
      open_to(all.back(), accesses[at % 3]);
    }
    lockfast_wipe_all();
    for (std::size_t at = 0; at < secrets.size(); ++at) {
      const auto& [secret, size] = secrets[at];
      promised(has(secret, accesses[at / 4 % 3]), "its access");
      promised(lockfast_check(secret) == 0, "its canaries");
    }
    for (compartment* const one : all) open_to(one, LOCKFAST_READONLY);
    for (const auto& [secret, size] : secrets) promised(filled(secret, size, 0), "zeros");
    for (compartment* const one : all) lockfast_compartment_destroy(one);
  }));
}

TEST_CASE("under crash=wipe a fatal signal wipes a closed compartment") {
  static char* crashing = nullptr;
  const auto report = [](int) {
    char left[32];
    if (!peek(crashing, 32, left)) std::_Exit(44);
    std::_Exit(filled(left, 32, 0) ? 42 : 43);
  };
  for (const std::string policy : {"crash=wipe", "crash=none"}) {
    CAPTURE(policy);
    const ending end = in_child([&] {
      options(policy + ",hidden=off");
      prove(std::signal(SIGSEGV, report) != SIG_ERR, "a handler");
      compartment* const keys = new_compartment();
      crashing = secret_in(keys, 32);
      open_to(keys, LOCKFAST_NOACCESS);
      *const_cast<volatile char*>(crashing) = 1;
    });
    CAPTURE(end.text);
    if (end.status == 44) {
      MESSAGE("skipped: this kernel does not show closed pages to a debugger");
    } else {
      CHECK(end.status == (policy == "crash=wipe" ? 42 : 43));
    }
  }
}

TEST_CASE("trim leaves the live secrets of a closed compartment, and their access") {
  check_clean(in_child([] {
    compartment* const keys = new_compartment();
    std::vector<char*> all;
    for (int count = 0; count < 2000; ++count) all.push_back(secret_in(keys, 200));
    const std::size_t most = statistics().bytes_locked;
    open_to(keys, LOCKFAST_NOACCESS);
    for (std::size_t at = 1; at < all.size(); ++at) lockfast_free(all[at]);
    (void)lockfast_trim();
    promised(statistics().bytes_locked < most / 2, "the locked bytes fall");
    promised(has(all[0], LOCKFAST_NOACCESS) && lockfast_check(all[0]) == 0, "closed, and whole");
    open_to(keys, LOCKFAST_READONLY);
    promised(filled(all[0], 200, 'x'), "its bytes");
    lockfast_compartment_destroy(keys);
  }));
}
