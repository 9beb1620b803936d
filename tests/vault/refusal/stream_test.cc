// stream_test.cc - each call of an append or a use of a sealed stream is refused in turn: the stream is as it was.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <lockfast/boojum.hpp>
#include <lockfast/sealed_stream.hpp>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <utility>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/child.h"
#include "support/sanitized.h"
#include "support/short_heap.h"
#include "vault/refusal/in_turn.h"

using lockfast::memory_error;
using lockfast::sealed_stream;
namespace simulated = lockfast::simulated;

namespace {

using bytes = std::vector<std::byte>;
using result = std::expected<void, memory_error>;

bytes pattern(std::size_t size) {
  bytes made(size);
  for (std::size_t at = 0; at < size; ++at) made[at] = static_cast<std::byte>(at * 7 % 251);
  return made;
}

bool holds(const sealed_stream& held, std::size_t size) {
  const bytes whole = pattern(size);
  std::span<const std::byte> rest = whole;
  const auto used = held.use([&](std::span<const std::byte> part) -> result {
    if (part.size() > rest.size() || !std::equal(part.begin(), part.end(), rest.begin())) return std::unexpected(memory_error::damaged);
    rest = rest.subspan(part.size());
    return {};
  });
  return used.has_value() && rest.empty() && held.size() == size;
}

// Runs the deed on a stream of so many bytes. Returns how often it was refused.
std::size_t refuse_each(std::size_t size, const std::function<result(sealed_stream&)>& act,
                        const std::function<bool(const sealed_stream&, bool done)>& check) {
  return refuse_in_turn([&](turn& now) {
    {
      auto other = sealed_stream::create();  // libcrypto's own start is not ours to test
      prove(other && other->append(pattern(1)), "a first stream");
    }
    auto held = sealed_stream::create({.chunk = 64, .prekey = 32});
    const bytes first = pattern(size);
    prove(held && held->append(first), "a stream");
    now.begin();
    const bool done = act(*held).has_value();
    now.end();
    promised(check(*held, done), "the stream as it should be");
    return done;
  });
}

}  // namespace

TEST_CASE("an append that is refused anywhere leaves the stream as it was, and the next one is done") {
  for (const std::size_t size : {0U, 64U, 100U}) {
    CAPTURE(size);
    const bytes whole = pattern(300);
    const auto append = [&](sealed_stream& held) { return held.append(std::span(whole).subspan(size)); };
    CHECK(refuse_each(size, append, [&](const sealed_stream& held, bool done) { return holds(held, done ? 300 : size); }) >= 5);
  }
}

TEST_CASE("a use that is refused opens no more chunks, and leaves the stream as it was") {
  CHECK(refuse_each(
            200, [](sealed_stream& held) { return held.use([](std::span<const std::byte>) {}); },
            [](const sealed_stream& held, bool) { return holds(held, 200); }) >= 3);
}
