// secret_test.cc - buffer and boxed: what they are made of, who may open them, and what never compiles.
#include <doctest/doctest.h>
#include <lockfast/secret.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <sstream>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/child.h"
#include "support/probe.h"

using lockfast::boxed;
using lockfast::buffer;
using lockfast::memory_error;

namespace {

using key = std::array<std::uint8_t, 32>;

template <std::size_t Alignment>
struct alignas(Alignment) aligned {
  char bytes[Alignment];
};

template <class T>
constexpr bool is_printed = requires(std::ostream& out, const T& value) { out << value; };
template <class T>
constexpr bool has_iterators = requires(T& value) { value.begin(); };
template <class T>
constexpr bool shows_its_data = requires(T& value) { value.data(); };

static_assert(!is_printed<buffer<char>> && !is_printed<buffer<char>::read_view> && !is_printed<boxed<key>::read_view>);
static_assert(is_printed<boxed<key>>);
static_assert(!has_iterators<buffer<char>> && !has_iterators<const buffer<char>> && !shows_its_data<buffer<char>>);
static_assert(!std::is_copy_constructible_v<buffer<char>> && !std::is_copy_assignable_v<boxed<key>>);
static_assert(!std::is_copy_constructible_v<buffer<char>::read_view>);
static_assert(std::is_nothrow_move_constructible_v<buffer<char>> && std::is_nothrow_move_constructible_v<boxed<key>>);

template <class Views>
bool all_are(const Views& view, int value) {
  return std::ranges::all_of(view, [&](auto each) { return static_cast<int>(each) == value; });
}

void check_breach(const ending& end, const char* line) {
  CAPTURE(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == std::string("lockfast: ") + line + "\n");
}

constexpr const char* conflict = "access conflict: a writer beside other views of one secret";
constexpr const char* still_open = "still open: a secret was destroyed while views of it were open";
constexpr const char* empty_handle = "empty handle: a secret was used that was moved away";

}  // namespace

TEST_CASE("a buffer is zeroed, random, taken or filled in place") {
  CHECK(all_are(buffer<std::uint8_t>::zeroed(100)->read(), 0));
  CHECK_FALSE(*buffer<std::uint8_t>::random(32) == *buffer<std::uint8_t>::random(32));

  std::array<std::uint64_t, 3> source = {1, 2, 3};
  const auto taken = buffer<std::uint64_t>::take(source);
  CHECK(taken->size() == 3);
  CHECK(taken->read()[2] == 3);
  CHECK(source == std::array<std::uint64_t, 3>{});

  const auto filled = buffer<char>::filled(4, [](std::span<char> out) { std::ranges::fill(out, 'x'); });
  CHECK(all_are(filled->read(), 'x'));
  const auto fresh = buffer<std::uint8_t>::filled(4, [](std::span<std::uint8_t> out) { CHECK(out[3] == 0); });
  CHECK(fresh);
}

TEST_CASE("a filling that fails passes its error on and leaves no secret") {
  struct lockfast_statistics before;
  lockfast_get_statistics(&before);
  const auto refused = buffer<char>::filled(
      4, [](std::span<char>) -> std::expected<void, memory_error> { return std::unexpected(memory_error::damaged); });
  CHECK(refused.error() == memory_error::damaged);
  CHECK_THROWS_AS((void)boxed<key>::filled([](key&) { throw 1; }), int);
  struct lockfast_statistics after;
  lockfast_get_statistics(&after);
  CHECK(after.live == before.live);
}

TEST_CASE("no elements, and too many, are refused, and the source is as it was") {
  CHECK(buffer<int>::zeroed(0).error() == memory_error::zero_size);
  CHECK(buffer<int>::take({}).error() == memory_error::zero_size);
  CHECK(buffer<int>::zeroed(SIZE_MAX / 2).error() == memory_error::limit_exceeded);
  CHECK(buffer<char>::zeroed(SIZE_MAX / 2).error() == memory_error::denied);
}

TEST_CASE("a secret has its type's alignment, that of a page and more too, and the byte past its end traps") {
  constexpr std::size_t count = 8;
  const auto held_by = [&]<class T>(std::type_identity<T>) {
    std::vector<buffer<T>> held;
    for (std::size_t each = 0; each < count; ++each) held.push_back(*buffer<T>::zeroed(1 + each % 2));
    const boxed<T> alone = *boxed<T>::zeroed();
    REQUIRE(reinterpret_cast<std::uintptr_t>(&*alone.read()) % alignof(T) == 0);
    for (const buffer<T>& one : held) {
      const auto view = one.read();
      REQUIRE(reinterpret_cast<std::uintptr_t>(view.data()) % alignof(T) == 0);
      CHECK(traps_on_read(reinterpret_cast<const char*>(view.end())));
    }
  };
  held_by(std::type_identity<aligned<64>>());
  held_by(std::type_identity<aligned<4096>>());
  held_by(std::type_identity<aligned<8192>>());
  held_by(std::type_identity<aligned<65536>>());
}

TEST_CASE("a secret traps at rest, can be read but not written by a reader, and the byte past its end traps") {
  const auto secret = buffer<char>::zeroed(32);
  const char* at = nullptr;
  {
    const auto view = secret->read();
    at = view.data();
    CHECK_FALSE(traps_on_read(at));
    CHECK(traps_on_write(const_cast<char*>(at)));
    CHECK(traps_on_read(at + 32));
  }
  CHECK(traps_on_read(at));
}

TEST_CASE("the last view of many to go closes the secret, in any order, and views move") {
  const auto secret = boxed<key>::zeroed();
  const std::uint8_t* at = nullptr;
  std::vector<boxed<key>::read_view> views;
  for (int each = 0; each < 1000; ++each) views.push_back(secret->read());
  at = views.front()->data();
  views.erase(views.begin(), views.begin() + 500);
  while (views.size() > 1) views.pop_back();
  CHECK_FALSE(traps_on_read(at));
  {
    const auto moved = std::move(views.back());
    views.clear();
    CHECK_FALSE(traps_on_read(at));
  }
  CHECK(traps_on_read(at));
}

TEST_CASE("what a writer wrote is what a reader reads") {
  auto box = boxed<key>::zeroed();
  {
    auto view = box->write();
    (*view)[0] = 7;
    view->back() = 9;
  }
  CHECK((*box->read())[0] == 7);
  CHECK(box->read()->back() == 9);
}

TEST_CASE("a writer beside others is busy by the try form") {
  auto secret = buffer<char>::zeroed(8);
  {
    const auto reader = secret->read();
    CHECK(secret->try_read());
    CHECK(secret->try_write().error() == memory_error::busy);
  }
  {
    const auto writer = secret->write();
    CHECK(secret->try_read().error() == memory_error::busy);
    CHECK(secret->try_write().error() == memory_error::busy);
    CHECK(secret->copy().error() == memory_error::busy);
  }
  CHECK(secret->try_write());
}

TEST_CASE("a writer beside others is a breach by the other form") {
  check_breach(in_child([] {
                 auto secret = buffer<char>::zeroed(8);
                 prove(secret.has_value(), "a secret");
                 const auto reader = secret->read();
                 const auto writer = secret->write();
               }),
               conflict);
  check_breach(in_child([] {
                 auto secret = boxed<key>::zeroed();
                 prove(secret.has_value(), "a secret");
                 const auto writer = secret->write();
                 const auto reader = secret->read();
               }),
               conflict);
  check_breach(in_child([] {
                 auto secret = boxed<key>::zeroed();
                 prove(secret.has_value(), "a secret");
                 const auto writer = secret->write();
                 const auto second = secret->write();
               }),
               conflict);
}

TEST_CASE("a secret that is destroyed while a view is open is a breach") {
  check_breach(in_child([] {
                 auto secret = buffer<char>::zeroed(8);
                 prove(secret.has_value(), "a secret");
                 const auto view = secret->read();
                 {
                   const auto gone = std::move(*secret);
                 }
               }),
               still_open);
}

TEST_CASE("a secret that was moved away is empty: a breach to open, an error to try") {
  auto secret = buffer<char>::zeroed(8);
  const auto moved = std::move(*secret);
  CHECK(secret->empty());
  CHECK(secret->size() == 0);
  CHECK(secret->try_read().error() == memory_error::wiped);
  CHECK(secret->copy().error() == memory_error::wiped);
  CHECK(moved.size() == 8);
  check_breach(in_child([&] { (void)secret->read(); }), empty_handle);
}

TEST_CASE("views stay good when their secret is moved") {
  auto secret = buffer<char>::zeroed(8);
  auto view = secret->write();
  auto moved = std::move(*secret);
  view[7] = 'z';
  {
    const auto gone = std::move(view);
  }
  CHECK(moved.read()[7] == 'z');
}

TEST_CASE("a copy has the same bytes and a life of its own") {
  auto first = buffer<std::uint8_t>::random(64);
  auto second = first->copy();
  CHECK(*first == *second);
  second->write()[63] ^= 1;
  CHECK_FALSE(*first == *second);
}

TEST_CASE("secrets of different lengths are never equal") {
  const auto shorter = buffer<std::uint8_t>::zeroed(31);
  const auto longer = buffer<std::uint8_t>::zeroed(32);
  CHECK_FALSE(*shorter == *longer);
  CHECK_FALSE(*longer == *shorter);
  CHECK(*longer == *longer);
}

TEST_CASE("all that is printed of a boxed secret is that it is hidden") {
  std::ostringstream out;
  out << *boxed<key>::random();
  CHECK(out.str() == "hidden");
}

TEST_CASE("readers of many threads share a secret, and writers get it alone") {
  auto secret = boxed<std::array<std::uint64_t, 2>>::zeroed();
  std::atomic<bool> torn = false;
  std::atomic<unsigned> written = 0;
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&, each] {
      for (int round = 0; round < 3000; ++round) {
        if (each == 0) {
          if (auto view = secret->try_write()) {
            ++(**view)[0];
            ++(**view)[1];
            ++written;
          }
        } else if (const auto view = secret->try_read()) {
          if ((**view)[0] != (**view)[1]) torn = true;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK_FALSE(torn);
  CHECK((*secret->read())[0] == written);
}
