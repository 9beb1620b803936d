// sealed_record_test.cc - records of sealed secrets, over the simulated host: what is changed, moved or old is found, and none repeats.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>

#include "allocator/base/metadata.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/isolated/sealed_record.h"
#include "allocator/isolated/span_region.h"
#include "allocator/process.h"
#include "support/check.h"
#include "support/child.h"
#include "unit/closed_secret.h"

namespace {

lockfast::internal::sealed_record& record_of(void* secret) {
  return *lockfast::internal::span_region::find_secret(secret).at->record();
}

constexpr std::size_t record_size = sizeof(lockfast::internal::sealed_record) + 32;

void check_damaged(const ending& end) {
  CAPTURE(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == "lockfast: sealed secret damaged: its record at rest was changed, moved or replaced\n");
}

// Two closed, sealed secrets, what is done to their records, and the call that finds it.
template <class Damage, class Find>
ending after(Damage damage, Find find) {
  return in_child([&] {
    options("rest=seal");
    void* const one = closed_secret(32, 1);
    void* const other = closed_secret(32, 2);
    damage(one, other);
    promised(lockfast_check(one) == -1 && errno == EFAULT, "damaged, says a check");
    promised(lockfast_audit() >= 1, "and an audit");
    find(one);
  });
}

const auto open_it = [](void* secret) { (void)lockfast_protect(secret, LOCKFAST_READONLY); };
const auto free_it = [](void* secret) { lockfast_free(secret); };

}  // namespace

TEST_CASE("a changed bit anywhere in a sealed record ends the process when the secret is opened or freed") {
  for (std::size_t byte = 0; byte < record_size; ++byte) {
    CAPTURE(byte);
    const auto damage = [&](void* one, void*) { reinterpret_cast<unsigned char*>(&record_of(one))[byte] ^= 1U << byte % 8; };
    check_damaged(after(damage, open_it));
    check_damaged(after(damage, free_it));
  }
}

TEST_CASE("a sealed record in another secret's place, or an older one of the same secret, ends the process") {
  const auto swap = [](void* one, void* other) {
    unsigned char kept[record_size];
    std::memcpy(kept, &record_of(one), record_size);
    std::memcpy(&record_of(one), &record_of(other), record_size);
    std::memcpy(&record_of(other), kept, record_size);
  };
  check_damaged(after(swap, open_it));
  check_damaged(after(swap, free_it));
  const auto replace = [](void* one, void*) {
    unsigned char older[record_size];
    std::memcpy(older, &record_of(one), record_size);
    open_whole(one, 32, 1);
    promised(std::memcmp(older, &record_of(one), record_size) != 0, "another record of the same bytes");
    std::memcpy(&record_of(one), older, record_size);
  };
  check_damaged(after(replace, open_it));
  check_damaged(after(replace, free_it));
}

TEST_CASE("no number of a record, and no sealed bytes, repeat") {
  check_clean(in_child([] {
    options("rest=seal");
    void* const secret = closed_secret(32, 1);
    std::set<std::uint64_t> numbers;
    std::set<std::string> contents;
    for (int round = 0; round < 200; ++round) {
      const auto& record = record_of(secret);
      promised(numbers.insert(record.number).second, "a new number");
      promised(contents.insert(std::string(reinterpret_cast<const char*>(record.bytes()), 32)).second, "other bytes");
      open_whole(secret, 32, 1);
    }
  }));
}

TEST_CASE("a report counts keys and records as the statistics do, and takes no mutex of theirs, in whose holder a handler may report") {
  check_clean(in_child([] {
    options("rest=seal");
    (void)closed_secret(32, 1);
    void* const large = closed_secret(200000, 2);
    promised(is_sealed(large), "a record in pages of its own");
    const auto counted = statistics();
    const lockfast::internal::scoped_lock records(lockfast::internal::sealed_record::mutex());
    const lockfast::internal::scoped_lock notes(lockfast::internal::metadata::mutex());
    struct lockfast_statistics looked_at;
    (void)lockfast::internal::process::look(looked_at);
    promised(looked_at.bytes_reserved == counted.bytes_reserved, "the same address space");
    promised(looked_at.bytes_locked == counted.bytes_locked, "the same locks");
  }));
}
