// sealed_stream_test.cc - a long secret, chunk by chunk: what comes back, and what a changed, moved or missing chunk is.
#include <doctest/doctest.h>
#include <lockfast/sealed_stream.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <vector>

#include "boojum/vault/sealed_chunks.h"
#include "support/child.h"
#include "support/filled_pipe.h"
#include "support/traced.h"

using lockfast::memory_error;
using lockfast::sealed_stream;
using lockfast::internal::sealed_chunks;

namespace lockfast::internal {

class chunks_probe {
 public:
  static chunked_bytes& log(sealed_chunks& of) { return of.log_; }
  static std::uint64_t& size(sealed_chunks& of) { return of.size_; }
  static std::size_t stride(const sealed_chunks& of) { return static_cast<std::size_t>(of.stride()); }

  static std::vector<std::byte> sealed(sealed_chunks& of, std::size_t at, std::size_t size) {
    std::vector<std::byte> bytes(size);
    of.log_.read(at * of.stride(), bytes);
    return bytes;
  }
  static void put(sealed_chunks& of, std::size_t at, std::span<const std::byte> sealed) {
    of.log_.write(at * of.stride(), sealed);
  }
};

}  // namespace lockfast::internal

namespace {

using lockfast::internal::chunks_probe;
using bytes = std::vector<std::byte>;
using result = std::expected<void, memory_error>;

constexpr std::size_t chunk = sealed_stream::min_chunk;
constexpr sealed_stream::options small = {.chunk = chunk, .prekey = 32};

bytes pattern(std::size_t size, std::size_t from = 0) {
  bytes made(size);
  for (std::size_t at = 0; at < size; ++at) made[at] = static_cast<std::byte>((from + at) * 7 % 251);
  return made;
}

bytes all_of(const sealed_stream& held) {
  bytes whole;
  REQUIRE(held.use([&](std::span<const std::byte> part) { whole.insert(whole.end(), part.begin(), part.end()); }));
  return whole;
}

// The stream's inside, with the same calls.
void append(sealed_chunks& to, std::span<const std::byte> from) {
  sealed_chunks::appending adding(to);
  REQUIRE(adding.begin());
  while (!from.empty()) {
    const auto room = adding.room();
    REQUIRE(room);
    const std::size_t count = std::min(room->size(), from.size());
    std::copy_n(from.begin(), count, room->begin());
    REQUIRE(adding.added(count));
    from = from.subspan(count);
  }
  REQUIRE(adding.finish());
}

bool is_whole(const sealed_chunks& of, std::uint64_t at) {
  const lockfast::internal::scratch room(of.chunk_size());
  const auto opened = of.open(at, room.bytes());
  if (!opened) {
    CHECK(opened.error() == memory_error::damaged);
    CHECK(std::ranges::all_of(room.bytes(), [](std::byte byte) { return byte == std::byte{0}; }));
    return false;
  }
  const bytes expected = pattern(opened->size(), static_cast<std::size_t>(at) * of.chunk_size());
  return std::ranges::equal(*opened, expected);
}

}  // namespace

TEST_CASE("a stream gives back what was appended, in whatever pieces, one chunk at a time") {
  for (const std::size_t piece : {1U, 63U, 64U, 65U, 128U, 1000U}) {
    CAPTURE(piece);
    auto held = sealed_stream::create(small);
    REQUIRE(held);
    CHECK(held->empty());
    CHECK(all_of(*held).empty());
    bytes whole;
    for (int each = 0; each < 5; ++each) {
      const bytes next = pattern(piece, whole.size());
      REQUIRE(held->append(next));
      whole.insert(whole.end(), next.begin(), next.end());
      CHECK(held->size() == whole.size());
      CHECK(held->chunk_count() == (whole.size() + chunk - 1) / chunk);
      REQUIRE(all_of(*held) == whole);
    }
    std::set<const std::byte*> places;
    REQUIRE(held->use([&](std::span<const std::byte> part) {
      CHECK(part.size() <= chunk);
      places.insert(part.data());
    }));
    CHECK(places.size() == 1);
  }
}

TEST_CASE("a chunk of a stream is used by its number, and one that is not there is not found") {
  auto held = sealed_stream::create(small);
  REQUIRE(held);
  REQUIRE(held->append(traced(1, 3 * chunk + 5).buffer()));
  for (std::size_t at = 0; at < 4; ++at) {
    REQUIRE(held->use_chunk(at, [&](std::span<const std::byte> part) {
      CHECK(part.size() == (at == 3 ? 5 : chunk));
      CHECK(part[0] == traced(1, 3 * chunk + 5)[at * chunk]);
    }));
  }
  CHECK(held->use_chunk(4, [](std::span<const std::byte>) {}).error() == memory_error::not_found);
}

TEST_CASE("a function's refusal ends the use of a stream and is passed on") {
  auto held = sealed_stream::create(small);
  REQUIRE(held);
  REQUIRE(held->append(pattern(4 * chunk)));
  int calls = 0;
  const auto done = held->use(
      [&](std::span<const std::byte>) -> result { return ++calls < 3 ? result() : std::unexpected(memory_error::cancelled); });
  REQUIRE_FALSE(done);
  CHECK(done.error() == memory_error::cancelled);
  CHECK(calls == 3);
}

TEST_CASE("a function that clears the stream that it is given is told that no chunk is left") {
  auto held = sealed_stream::create(small);
  REQUIRE(held);
  REQUIRE(held->append(pattern(4 * chunk)));
  int calls = 0;
  const auto done = held->use([&](std::span<const std::byte>) {
    ++calls;
    held->clear();
  });
  REQUIRE_FALSE(done);
  CHECK(done.error() == memory_error::not_found);
  CHECK(calls == 1);
}

TEST_CASE("a stream reads a descriptor to its end, wherever a chunk ends, and nothing where it is refused") {
  for (const std::size_t size : {0U, 1U, 63U, 64U, 65U, 127U, 128U, 129U, 1000U}) {
    CAPTURE(size);
    auto held = sealed_stream::create(small);
    REQUIRE(held);
    const auto count = held->append_from(filled_pipe(pattern(size)).end());
    REQUIRE(count);
    CHECK(*count == size);
    REQUIRE(all_of(*held) == pattern(size));
    // Nothing comes, once more: the last chunk stays the last.
    REQUIRE(held->append_from(filled_pipe(pattern(0)).end()));
    REQUIRE(all_of(*held) == pattern(size));
    const auto refused = held->append_from(filled_pipe(pattern(200)).end(), 199);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == memory_error::limit_exceeded);
    CHECK(held->append_from(-1).error() == memory_error::file_system);
    CHECK(held->size() == size);
    REQUIRE(all_of(*held) == pattern(size));
    REQUIRE(held->append(pattern(100, size)));
    REQUIRE(all_of(*held) == pattern(size + 100));
  }
}

TEST_CASE("any changed bit of a sealed chunk is damage, and the other chunks are whole") {
  sealed_chunks held(small);
  append(held, pattern(2 * chunk + 10));
  auto& log = chunks_probe::log(held);
  for (std::uint64_t at = 0; at < log.size(); ++at) {
    CAPTURE(at);
    std::byte changed;
    log.read(at, {&changed, 1});
    changed ^= static_cast<std::byte>(1 << at % 8);
    log.write(at, {&changed, 1});
    for (std::uint64_t which = 0; which < held.count(); ++which) {
      CHECK(is_whole(held, which) == (which != at / chunks_probe::stride(held)));
    }
    changed ^= static_cast<std::byte>(1 << at % 8);
    log.write(at, {&changed, 1});
  }
  for (std::uint64_t which = 0; which < held.count(); ++which) CHECK(is_whole(held, which));
}

TEST_CASE("two chunks that are swapped are both damage, and so is one in two places") {
  sealed_chunks held(small);
  append(held, pattern(4 * chunk));
  const std::size_t size = chunks_probe::stride(held);
  const bytes first = chunks_probe::sealed(held, 0, size);
  const bytes second = chunks_probe::sealed(held, 1, size);
  const auto is_damaged = [&](std::uint64_t at) {
    const lockfast::internal::scratch room(held.chunk_size());
    const auto opened = held.open(at, room.bytes());
    return !opened && opened.error() == memory_error::damaged;
  };
  chunks_probe::put(held, 1, first);
  CHECK(is_whole(held, 0));
  CHECK(is_damaged(1));
  chunks_probe::put(held, 0, second);
  CHECK(is_damaged(0));
  CHECK(is_damaged(1));
  CHECK(is_whole(held, 2));
}

TEST_CASE("a stream that was cut is damaged at its new end, at every length, and takes nothing more") {
  for (std::size_t size = 1; size < 3 * chunk; ++size) {
    CAPTURE(size);
    sealed_chunks held(small);
    append(held, pattern(3 * chunk));
    chunks_probe::size(held) = size;
    REQUIRE(held.count() > 0);
    CHECK_FALSE(is_whole(held, held.count() - 1));
    sealed_chunks::appending adding(held);
    const auto begun = adding.begin();
    REQUIRE_FALSE(begun);
    CHECK(begun.error() == memory_error::damaged);
  }
}

TEST_CASE("a last chunk of before is no inner chunk, and one from before a clear is none at all") {
  sealed_chunks held(small);
  append(held, pattern(chunk));
  const bytes last = chunks_probe::sealed(held, 0, chunks_probe::stride(held));
  append(held, pattern(chunk, chunk));
  CHECK(is_whole(held, 0));
  chunks_probe::put(held, 0, last);
  CHECK_FALSE(is_whole(held, 0));
  held.clear();
  append(held, pattern(chunk));
  CHECK(is_whole(held, 0));
  chunks_probe::put(held, 0, last);
  CHECK_FALSE(is_whole(held, 0));
}

TEST_CASE("a stream that was cleared goes on, and one that was moved away refuses") {
  auto held = sealed_stream::create(small);
  REQUIRE(held);
  REQUIRE(held->append(pattern(100)));
  held->clear();
  CHECK(held->empty());
  REQUIRE(held->append(pattern(70)));
  CHECK(all_of(*held) == pattern(70));
  const sealed_stream other = std::move(*held);
  CHECK(all_of(other) == pattern(70));
  CHECK(held->size() == 0);
  CHECK(held->append(pattern(1)).error() == memory_error::wiped);
  CHECK(held->append_from(0).error() == memory_error::wiped);
  CHECK(held->use_chunk(0, [](std::span<const std::byte>) {}).error() == memory_error::wiped);
}

TEST_CASE("a stream that another is moved into is that one, and says how long its chunks are") {
  auto kept = *sealed_stream::create(small);
  REQUIRE(kept.append(pattern(10)));
  auto other = *sealed_stream::create({.chunk = 2 * chunk});
  REQUIRE(other.append(pattern(20, 3)));
  CHECK(kept.chunk_size() == chunk);
  kept = std::move(other);
  CHECK(all_of(kept) == pattern(20, 3));
  CHECK(kept.chunk_size() == 2 * chunk);
  CHECK(other.chunk_size() == 0);
}

TEST_CASE("a stream of a chunk or prekey out of range is refused") {
  for (const auto& wrong : {sealed_stream::options{.chunk = sealed_stream::min_chunk - 1},
                            sealed_stream::options{.chunk = sealed_stream::max_chunk + 1}, sealed_stream::options{.prekey = 31},
                            sealed_stream::options{.prekey = 65537}}) {
    CHECK(sealed_stream::create(wrong).error() == memory_error::limit_exceeded);
  }
}

TEST_CASE("no part of a stream lies plain in memory but the chunk that is open") {
  if (!memory_can_be_searched()) return;
  const traced secret(2001, 64);
  auto held = sealed_stream::create(small);
  REQUIRE(held);
  REQUIRE(held->append(secret.buffer()));
  REQUIRE(held->append(pattern(64)));
  CHECK(secret.copies_in_memory() == 0);
  REQUIRE(held->use([&](std::span<const std::byte> part) {
    const bool is_first = secret.equals(part);
    CHECK(secret.copies_in_memory() == (is_first && !is_hidden(part.data()) ? secret.size() / 16 : 0));
  }));
  CHECK(secret.copies_in_memory() == 0);
}

TEST_CASE("a forked child has no key of a stream, and is told so") {
  auto held = sealed_stream::create(small);
  REQUIRE(held);
  REQUIRE(held->append(pattern(100)));
  const ending end = in_child([&] {
    const auto used = held->use([](std::span<const std::byte>) {});
    promised(!used && used.error() == memory_error::unavailable, "no use");
    const auto added = held->append(pattern(100));
    promised(!added && added.error() == memory_error::unavailable, "no append");
    held->clear();
    promised(held->append(pattern(100)).has_value(), "a stream of the child's own");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
  CHECK(all_of(*held) == pattern(100));
}
