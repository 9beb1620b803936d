// allocation_test.cc - what a grouped secret is: where it is, what it holds, what is left of it.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "behaviour/grouped.h"
#include "support/page_state.h"

namespace {

constexpr unsigned char fresh = 0;

struct piece {
  char* address;
  std::size_t size;
};

void promise_apart(std::vector<piece> pieces) {
  std::ranges::sort(pieces, {}, &piece::address);
  for (std::size_t at = 1; at < pieces.size(); ++at) {
    const piece& before = pieces[at - 1];
    promised(before.address + before.size < pieces[at].address, "a byte between any two secrets");
  }
}

char* aligned_of(std::size_t alignment, std::size_t size) {
  auto* const made = static_cast<char*>(lockfast_aligned_alloc(alignment, size));
  prove(made != nullptr, "an aligned secret");
  return made;
}

}  // namespace

TEST_CASE("a secret of any size up to 16 KiB is grouped, and one byte more isolated") {
  check_clean(in_child([] {
    for (std::size_t size = 0; size <= max_grouped + 20; size += size < 300 || size > max_grouped - 20 ? 1 : 61) {
      errno = 0;
      auto* const secret = static_cast<char*>(lockfast_malloc(size));
      promised(secret != nullptr && errno == 0, "a secret, and errno as it was");
      const lockfast_receipt receipt = receipt_of(secret);
      promised(receipt.size == size && lockfast_size(secret) == size, "the size that was asked for");
      promised(receipt.placement == (size <= max_grouped ? LOCKFAST_GROUPED : LOCKFAST_ISOLATED), "the placement");
      promised(receipt.access == LOCKFAST_READWRITE, "the access");
      promised(size > max_grouped || address_of(secret) % 16 == 0, "a multiple of 16");
      promised(filled(secret, size, fresh), "fresh bytes");
      promised(lockfast_check(secret) == 0, "whole canaries");
      std::memset(secret, 'x', size);
      promised(lockfast_check(secret) == 0, "whole canaries after every byte was written");
      lockfast_free(secret);
      promised(lockfast_size(secret) == 0 && gone(secret, size), "nothing is left");
    }
    promised(errno == 0, "errno as it was");
    promised(statistics().live == 0, "none is live");
  }));
}

TEST_CASE("malloc_isolated isolates, whatever the size") {
  check_clean(in_child([] {
    for (const std::size_t size : {0U, 32U, 5000U}) {
      auto* const secret = static_cast<char*>(lockfast_malloc_isolated(size));
      prove(secret != nullptr, "a secret");
      promised(receipt_of(secret).placement == LOCKFAST_ISOLATED, "isolated");
      promised(!readable_here(secret + size), "the trap behind");
      lockfast_free(secret);
    }
  }));
}

TEST_CASE("a slab's pages are locked and out of core dumps, as the receipt says, and end in pages that trap") {
  check_clean(in_child([] {
    std::vector<char*> all;
    for (const std::size_t size : {32U, 200U, 1000U, 4000U, 16000U}) {
      for (int count = 0; count < 40; ++count) {
        char* const secret = secret_of(size);
        all.push_back(secret);
        const lockfast_receipt receipt = receipt_of(secret);
        promised(receipt.backing != LOCKFAST_UNLOCKED && receipt.lock_error == 0, "a receipt of the lock");
        promised(receipt.dump_error == dump_error_here() && receipt.fork_error == advice_error() &&
                     (receipt.hide_error == 0) == (receipt.backing == LOCKFAST_HIDDEN),
                 "a receipt of the rest");
      }
      char* const secret = all.back();
      for (char* page = page_of(secret); page <= page_of(secret + size - 1); page += page_size()) {
        promised(state_of(page).locked && state_of(page).undumpable == advice_is_followed(), "the lock itself");
      }
      // The slab that it lies in, page for page, as far as it can be read.
      for (const int step : {-1, 1}) {
        char* page = page_of(secret);
        std::size_t pages = 0;
        for (; readable_here(page); page += step * static_cast<std::ptrdiff_t>(page_size())) {
          promised(state_of(page).undumpable == advice_is_followed(), "no page of it in a core dump");
          promised(++pages < 4096, "a page that traps");
        }
        promised(!writable_here(page), "a page that traps");
      }
    }
    const auto now = statistics();
    promised(now.live_grouped == all.size() && now.live == all.size() && now.live_isolated == 0, "counts");
    promised(now.live_unlocked == 0 && now.bytes_locked >= now.bytes_live, "bytes");
    promised(now.bytes_reserved > now.bytes_locked, "guard pages");
    for (char* const secret : all) lockfast_free(secret);
  }));
}

TEST_CASE("secrets of all sizes that live together are apart, and each keeps its bytes") {
  check_clean(in_child([] {
    std::mt19937 random(3);
    std::vector<piece> held;
    std::vector<int> marks;
    std::size_t bytes = 0;
    for (int round = 0; round < 20000; ++round) {
      if (held.size() > 800 || (!held.empty() && random() % 3 == 0)) {
        const std::size_t chosen = random() % held.size();
        promised(filled(held[chosen].address, held[chosen].size, static_cast<unsigned char>(marks[chosen])), "its bytes");
        bytes -= held[chosen].size;
        lockfast_free(held[chosen].address);
        std::swap(held[chosen], held.back());
        std::swap(marks[chosen], marks.back());
        held.pop_back();
        marks.pop_back();
        continue;
      }
      const std::size_t size = random() % (random() % 8 == 0 ? max_grouped + 1 : random() % 3 == 0 ? 1000 : 80);
      held.push_back({secret_of(size), size});
      marks.push_back(round % 251);
      bytes += size;
      std::memset(held.back().address, marks.back(), size);
      if (round % 500 == 0) {
        promise_apart(held);
        const auto now = statistics();
        promised(now.live == held.size() && now.live_grouped == held.size() && now.bytes_live == bytes, "counts");
        promised(lockfast_audit() == 0, "whole canaries");
      }
    }
    for (const piece& one : held) lockfast_free(one.address);
    const auto now = statistics();
    promised(now.live == 0 && now.bytes_live == 0 && now.allocations == now.frees, "counts at the end");
  }));
}

TEST_CASE("secrets of no bytes have pointers of their own") {
  check_clean(in_child([] {
    std::set<char*> all;
    for (int count = 0; count < 500; ++count) all.insert(secret_of(0));
    promised(all.size() == 500, "five hundred pointers");
    for (char* const secret : all) {
      promised(lockfast_check(secret) == 0 && lockfast_size(secret) == 0, "whole");
      lockfast_free(secret);
    }
  }));
}

TEST_CASE("calloc's grouped secrets are zero, in places that other secrets had too") {
  check_clean(in_child([] {
    for (int round = 0; round < 300; ++round) {
      for (const auto& [count, size] : {std::pair<std::size_t, std::size_t>{3, 5}, {1, 32}, {0, 9}, {9, 0}, {1024, 16}}) {
        auto* const secret = static_cast<char*>(lockfast_calloc(count, size));
        prove(secret != nullptr, "a secret");
        promised(receipt_of(secret).placement == LOCKFAST_GROUPED, "grouped");
        promised(lockfast_size(secret) == count * size && filled(secret, count * size, 0), "zeros");
        std::memset(secret, 'x', count * size);
        lockfast_free(secret);
      }
    }
    promised(lockfast_calloc(SIZE_MAX / 2, 3) == nullptr && errno == ENOMEM, "a product that overflows");
  }));
}

TEST_CASE("aligned_alloc gives the alignment, grouped up to 1024, and every byte beside the secret is verified") {
  check_clean(in_child([] {
    for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
      for (const std::size_t size : {0U, 1U, 16U, 33U, 100U, 1000U, 5000U, 15000U, 16384U}) {
        std::vector<char*> some;
        for (int count = 0; count < 20; ++count) {
          char* const secret = aligned_of(alignment, size);
          some.push_back(secret);
          promised(address_of(secret) % alignment == 0, "the alignment");
          promised(lockfast_size(secret) == size && filled(secret, size, fresh), "fresh bytes");
          const bool grouped = receipt_of(secret).placement == LOCKFAST_GROUPED;
          if (alignment <= 1024 && size + alignment <= max_grouped) promised(grouped, "grouped");
          if (alignment > 1024) promised(!grouped, "isolated");
          std::memset(secret, 'x', size);
          secret[-1] ^= 1;
          promised(lockfast_check(secret) == -1, "the byte in front is verified");
          secret[-1] ^= 1;
          if (grouped) {
            secret[size] ^= 1;
            promised(lockfast_check(secret) == -1, "the byte behind is verified");
            secret[size] ^= 1;
          }
          promised(lockfast_check(secret) == 0, "whole");
        }
        for (char* const secret : some) lockfast_free(secret);
      }
    }
    promised(lockfast_aligned_alloc(48, 32) == nullptr && errno == EINVAL, "no power of two");
  }));
}

TEST_CASE("an aligned grouped secret dies of a changed byte, in front and behind") {
  for (const int at : {-1, 40}) {
    CAPTURE(at);
    check_breach(in_child([&] {
                   char* const secret = aligned_of(256, 40);
                   prove(receipt_of(secret).placement == LOCKFAST_GROUPED, "grouped");
                   secret[at] ^= 4;
                   lockfast_free(secret);
                 }),
                 broken);
  }
}

TEST_CASE("a freed slot is not the next one handed out, and slots are not handed out in order") {
  check_clean(in_child([] {
    for (const std::size_t size : {0U, 32U, 1000U, 16384U}) {
      for (int round = 0; round < 2000; ++round) {
        char* const secret = secret_of(size);
        lockfast_free(secret);
        char* const next = secret_of(size);
        promised(next != secret, "another slot");
        lockfast_free(next);
      }
    }
    std::vector<char*> all;
    for (int count = 0; count < 64; ++count) all.push_back(secret_of(32));
    std::size_t ascending = 0;
    for (std::size_t at = 1; at < all.size(); ++at) ascending += all[at] > all[at - 1];
    promised(ascending > 8 && ascending < 56, "no order");
    std::vector<std::ptrdiff_t> steps;
    for (std::size_t at = 1; at < all.size(); ++at) steps.push_back(all[at] - all[at - 1]);
    std::ranges::sort(steps);
    const auto repeated = std::ranges::unique(steps);
    promised(steps.size() - repeated.size() > 20, "no stride");
    for (char* const secret : all) lockfast_free(secret);
  }));
}

TEST_CASE("no byte of a secret is left when free returns, at any size") {
  check_clean(in_child([] {
    for (std::size_t size = 1; size <= max_grouped; size = size * 3 / 2 + 1) {
      char* const neighbour = secret_of(size);  // so that the page stays
      for (int round = 0; round < 50; ++round) {
        char* const secret = secret_of(size);
        lockfast_free(secret);
        promised(gone(secret, size), "wiped");
      }
      lockfast_free(neighbour);
    }
  }));
}

TEST_CASE("trim gives empty slabs back and leaves live secrets locked") {
  check_clean(in_child([] {
    std::vector<char*> all;
    char* const kept = secret_of(32);
    const std::size_t before = statistics().bytes_locked;
    constexpr int count = 150;  // of each size: some 3 MiB, which an ordinary user may lock
    for (const std::size_t size : {32U, 500U, 4000U, 16384U}) {
      for (int made = 0; made < count; ++made) all.push_back(secret_of(size));
    }
    const std::size_t most = statistics().bytes_locked;
    prove(most > before + count * (500 + 4000 + 16384), "many locked pages");
    for (char* const secret : all) lockfast_free(secret);
    const std::size_t given = lockfast_trim();
    const auto now = statistics();
    promised(given > 0, "bytes are given back");
    promised(now.bytes_locked <= before + 2 * 65536, "the locked bytes fall");
    promised(bytes_locked() <= now.bytes_locked + 65536, "the system counts as many");
    promised(filled(kept, 32, 'x') && lockfast_check(kept) == 0 && state_of(kept).locked, "the live one is held");
    lockfast_free(kept);
    (void)lockfast_trim();
    promised(statistics().bytes_locked == 0, "nothing is locked for nothing");
    promised(lockfast_trim() == 0, "nothing is left to give");
    char* const again = secret_of(32);
    promised(state_of(again).locked, "a secret after it");
    lockfast_free(again);
  }));
}

TEST_CASE("lockfast_mlock and munlock of a grouped secret's bytes leave the page and its neighbours as they are") {
  check_clean(in_child([] {
    std::vector<char*> all;
    for (int count = 0; count < 200; ++count) all.push_back(secret_of(32));
    char* const secret = all[100];
    promised(lockfast_mlock(secret, 32) == 0, "claimed");
    promised(filled(secret, 32, 'x'), "its bytes");
    promised(lockfast_munlock(secret, 32) == 0, "given up");
    promised(filled(secret, 32, 0), "wiped");
    for (char* const one : all) {
      promised(lockfast_check(one) == 0, "whole canaries");
      promised(one == secret || filled(one, 32, 'x'), "the neighbours' bytes");
    }
    promised(state_of(secret).locked && state_of(secret).undumpable == advice_is_followed(), "locked still");
    for (char* const one : all) lockfast_free(one);
  }));
}

TEST_CASE("sizes that can't be are refused with ENOMEM and counted, with slabs or without") {
  check_clean(in_child([] {
    char* const secret = secret_of(32);
    const auto before = statistics();
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 16383, SIZE_MAX / 2}) {
      errno = 0;
      promised(lockfast_malloc(size) == nullptr && errno == ENOMEM, "malloc");
      errno = 0;
      promised(lockfast_aligned_alloc(16, size) == nullptr && errno == ENOMEM, "aligned_alloc");
      errno = 0;
      promised(lockfast_aligned_alloc(1024, size) == nullptr && errno == ENOMEM, "aligned_alloc");
    }
    const auto after = statistics();
    promised(after.refusals == before.refusals + 12, "counted");
    promised(after.live == 1 && after.bytes_reserved == before.bytes_reserved, "nothing is left behind");
    lockfast_free(secret);
  }));
}
