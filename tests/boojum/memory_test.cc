// memory_test.cc - ram_memory, file_memory and non_contiguous_memory as their user sees them.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <array>
#include <csignal>

#include "boojum/places.h"
#include "support/child.h"

using namespace lockfast;

static_assert(locked_memory<ram_memory> && locked_memory<file_memory> && locked_memory<non_contiguous_memory>);
static_assert(!std::copyable<ram_memory> && !std::copyable<file_memory> && !std::copyable<non_contiguous_memory>);

namespace {

buffer<std::byte> random_secret(std::size_t size) { return std::move(*buffer<std::byte>::random(size)); }
buffer<std::byte> copy_of(const buffer<std::byte>& secret) { return std::move(*secret.copy()); }

template <class Memory>
void check_life(const typename Memory::options& chosen, std::size_t size) {
  CAPTURE(size);
  const auto value = random_secret(size);
  auto held = Memory::create(copy_of(value), chosen);
  REQUIRE(held);
  CHECK(*held->unlock() == value);
  CHECK(*held->unlock() == value);

  auto other = held->copy();
  REQUIRE(other);
  CHECK(*other->unlock() == value);

  const auto next = random_secret(size + 1);
  auto updated = std::move(*held).update(copy_of(next));
  REQUIRE(updated);
  CHECK(*updated->unlock() == next);
  CHECK(held->unlock().error() == memory_error::wiped);
  CHECK(*other->unlock() == value);

  Memory moved = std::move(*updated);
  CHECK(*moved.unlock() == next);
  CHECK(updated->unlock().error() == memory_error::wiped);
  CHECK(updated->copy().error() == memory_error::wiped);
  CHECK(std::move(*updated).update(copy_of(next)).error() == memory_error::wiped);

  CHECK(moved.wipe());
  CHECK(moved.unlock().error() == memory_error::wiped);
  CHECK(moved.wipe());
  CHECK(*other->unlock() == value);
  *other = std::move(*Memory::create(copy_of(next), chosen));
  CHECK(*other->unlock() == next);
}

// A value that cannot be held leaves the old one whole.
template <class Memory>
void check_failed_update(const typename Memory::options& chosen) {
  const auto value = random_secret(40);
  auto held = Memory::create(copy_of(value), chosen);
  REQUIRE(held);
  auto empty = random_secret(1);
  {
    const auto gone = std::move(empty);
  }
  CHECK(std::move(*held).update(std::move(empty)).error() == memory_error::wiped);
  CHECK(*held->unlock() == value);
}

std::size_t live_secrets() {
  struct lockfast_statistics now = {};
  lockfast_get_statistics(&now);
  return now.live;
}

}  // namespace

TEST_CASE("each type holds, updates, copies, moves and wipes a secret of any size") {
  const own_directory files;
  const std::size_t live = live_secrets();
  for (const std::size_t size : {1U, 15U, 16U, 31U, 32U, 33U, 48U, 4096U, 100000U}) {
    check_life<ram_memory>({}, size);
    check_life<file_memory>({.directory = files.path()}, size);
    for (const auto& kind : split_kinds(files.path())) {
      if (size > 4096 && kind.shares.size() > 4) continue;
      check_life<non_contiguous_memory>(kind, size);
    }
  }
  CHECK(live_secrets() == live);
  CHECK(std::filesystem::is_empty(files.path()));
}

TEST_CASE("a failed update leaves the old secret whole") {
  const own_directory files;
  check_failed_update<ram_memory>({});
  check_failed_update<file_memory>({.directory = files.path()});
  for (const auto& kind : split_kinds(files.path())) check_failed_update<non_contiguous_memory>(kind);
}

TEST_CASE("a refresh keeps the value, at the same addresses and at others") {
  const own_directory files;
  for (const auto& kind : split_kinds(files.path())) {
    const auto value = random_secret(100);
    const auto held = non_contiguous_memory::create(copy_of(value), kind);
    REQUIRE(held);
    for (int round = 0; round < 3; ++round) {
      CHECK(held->refresh());
      CHECK(held->refresh(refresh_target::change));
    }
    CHECK(*held->unlock() == value);
  }
}

TEST_CASE("a copy is independent: wiping the one leaves the other") {
  const own_directory files;
  for (const auto& kind : split_kinds(files.path())) {
    const auto value = random_secret(32);
    auto held = non_contiguous_memory::create(copy_of(value), kind);
    const auto other = held->copy();
    REQUIRE(other);
    CHECK(other->refresh());
    CHECK(held->wipe());
    CHECK(*other->unlock() == value);
  }
}

TEST_CASE("counts and sizes out of their range are refused, and so is a secret that was moved away") {
  const auto refusal = [](const non_contiguous_memory::options& chosen) {
    return non_contiguous_memory::create(random_secret(32), chosen).error();
  };
  CHECK(refusal({.shares = {share_place::ram}}) == memory_error::limit_exceeded);
  CHECK(refusal({.shares = {}}) == memory_error::limit_exceeded);
  CHECK(refusal({.shares = std::vector(17, share_place::ram)}) == memory_error::limit_exceeded);
  CHECK(refusal({.prekey = 31}) == memory_error::limit_exceeded);
  CHECK(refusal({.prekey = 65537}) == memory_error::limit_exceeded);
  auto gone = random_secret(32);
  {
    const auto moved = std::move(gone);
  }
  CHECK(ram_memory::create(std::move(gone)).error() == memory_error::wiped);
  CHECK(file_memory::create(std::move(gone)).error() == memory_error::wiped);
  CHECK(non_contiguous_memory::create(std::move(gone)).error() == memory_error::wiped);
}

TEST_CASE("the interface of the design does what it says") {
  const own_directory files;
  std::array<std::byte, 32> raw = {std::byte{1}};
  auto key = buffer<std::byte>::random(32);
  auto copy = buffer<std::byte>::take(std::span<std::byte>(raw));
  auto held = non_contiguous_memory::create(std::move(*key), {.shares = {share_place::ram, share_place::file}});
  REQUIRE(held);
  CHECK(held->refresh());
  auto back = held->unlock();
  REQUIRE(back);
  {
    auto view = back->read();
    CHECK(view.size() == 32);
    CHECK(view.data() != nullptr);
  }
  auto next = std::move(*held).update(std::move(*copy));
  REQUIRE(next);
  CHECK(next->unlock()->read()[0] == std::byte{1});
  CHECK(ram_memory::create(*buffer<std::byte>::random(64)));
  CHECK(file_memory::create(*buffer<std::byte>::random(64)));

  std::vector<char, allocator<char>> v(100);
  lockfast::string s = "a string that is too long for the object itself";
  memory_resource pool;
  std::pmr::string p("another one that is too long for the object itself", &pool);
  for (const void* each : {static_cast<const void*>(v.data()), static_cast<const void*>(s.data())})
    CHECK(lockfast_size(each) > 0);
  CHECK(lockfast_size(p.data()) > 0);
  CHECK(lockfast_audit() == 0);
}
