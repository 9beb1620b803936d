// secrets.cc - contents and counts.
#include "tests/interleaving/secrets.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "platform/simulated/host.h"
#include "tests/interleaving/baton.h"

namespace lockfast::interleaving {
namespace {

struct entry {
  const std::byte* secret = nullptr;
  std::size_t size = 0;
};

std::array<entry, 64> book;

void* enter(void* secret, std::size_t size, std::size_t which) {
  require(secret != nullptr, "a secret is refused");
  const auto* const bytes = static_cast<const std::byte*>(secret);
  for (const entry& each : book) {
    if (each.secret != nullptr) {
      require(bytes + size <= each.secret || each.secret + each.size <= bytes, "two live secrets overlap");
    }
  }
  require_wiped(secret, size);
  write_into(secret, size, which);
  const auto free_entry = std::ranges::find(book, nullptr, &entry::secret);
  require(free_entry != book.end(), "the book is full");
  *free_entry = {bytes, size};
  return secret;
}

void require_equal(std::size_t counted, std::size_t wanted, const char* what) {
  if (counted == wanted) return;
  std::array<char, 100> line;
  std::snprintf(line.data(), line.size(), "%zu %s are counted, and there are %zu", counted, what, wanted);
  wrong(line.data());
}

unsigned char byte_of(std::size_t which, std::size_t at) { return static_cast<unsigned char>(1 + (which * 7 + at) % 255); }

}  // namespace

void require(bool holds, const char* what) {
  if (!holds) wrong(what);
}

void watch_unlocks() {
  simulated::observe_unlocks([](const std::byte* begin, std::size_t size) {
    for (const entry& each : book) {
      const bool apart = each.secret == nullptr || each.secret + each.size <= begin || begin + size <= each.secret;
      require(apart, "a page of a live secret is unlocked");
    }
  });
}

void write_into(void* secret, std::size_t size, std::size_t which) {
  for (std::size_t at = 0; at < size; ++at) static_cast<unsigned char*>(secret)[at] = byte_of(which, at);
}

void require_contents(const void* secret, std::size_t size, std::size_t which) {
  for (std::size_t at = 0; at < size; ++at) {
    require(static_cast<const unsigned char*>(secret)[at] == byte_of(which, at), "a secret is not what was written");
  }
}

void require_wiped(const void* secret, std::size_t size) {
  const auto* const bytes = static_cast<const unsigned char*>(secret);
  require(std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; }), "a secret is not wiped");
}

void* make_isolated(std::size_t size, std::size_t which) { return enter(lockfast_malloc_isolated(size), size, which); }
void* make_grouped(std::size_t size, std::size_t which) { return enter(lockfast_malloc(size), size, which); }

void free_whole(void* secret, std::size_t size, std::size_t which) {
  require_contents(secret, size, which);
  leave_book(secret);
  lockfast_free(secret);
}

void leave_book(const void* secret) {
  const auto found = std::ranges::find(book, static_cast<const std::byte*>(secret), &entry::secret);
  if (found != book.end()) *found = {};
}

void require_access(const void* secret, enum lockfast_access access) {
  const simulated::host& host = simulated::the_host();
  const simulated::page_state* const page = simulated::state_at(host, static_cast<const std::byte*>(secret));
  require(page != nullptr, "a secret lies where nothing is reserved");
  require(page->allowed == static_cast<platform::access>(access), "a secret's pages have another access than was asked for");
}

void open_and_close(void* secret, std::size_t size, std::size_t which) {
  require(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "an opening is refused");
  require_access(secret, LOCKFAST_READONLY);
  require_contents(secret, size, which);
  close(secret);
}

void close(void* secret) {
  leave_book(secret);
  require(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closing is refused");
  require_access(secret, LOCKFAST_NOACCESS);
}

void require_counts(std::size_t live) {
  require(lockfast_audit() == 0, "a canary is damaged");
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  require_equal(now.live, live, "live secrets");
  require_equal(now.live_isolated + now.live_grouped, live, "live secrets of both families");
  require_equal(now.allocations - now.frees, live, "allocations without frees");
  require_equal(now.bytes_locked, simulated::bytes_locked(), "locked bytes");
  require_equal(now.bytes_reserved, simulated::bytes_reserved(), "reserved bytes");
}

}  // namespace lockfast::interleaving
