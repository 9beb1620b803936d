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

using lockfast::memory_error;
using lockfast::sealed_stream;
namespace simulated = lockfast::simulated;

namespace {

using bytes = std::vector<std::byte>;
using result = std::expected<void, memory_error>;

// What a child leaves with when it kept every promise.
constexpr int every_call_was_let = 40;
constexpr int done_all_the_same = 41;
constexpr int refused_deed = 42;

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

// Runs the deed on a stream of so many bytes with each call refused in turn, each time in a child. Returns how often it was refused.
int refuse_each(std::size_t size, const std::function<result(sealed_stream&)>& act,
                const std::function<bool(const sealed_stream&, bool done)>& check) {
  int refusals = 0;
  for (const auto& [refuse, refused] :
       {std::pair(&simulated::refuse_nth, &simulated::refused), std::pair(&short_heap::refuse_nth, &short_heap::refused)}) {
    bool more = true;
    for (std::size_t n = 1; more; ++n) {
      REQUIRE(n < 2000);
      const ending end = in_child([&, refuse_call = refuse, was = refused] {
        bool done = false;
        bool was_refused = false;
        {
          {
            auto other = sealed_stream::create();  // libcrypto's own start is not ours to test
            prove(other && other->append(pattern(1)), "a first stream");
          }
          auto held = sealed_stream::create({.chunk = 64, .prekey = 32});
          const bytes first = pattern(size);
          prove(held && held->append(first), "a stream");
          refuse_call(n);
          done = act(*held).has_value();
          was_refused = was();
          refuse_call(0);
          promised(done || was_refused, "no refusal without a cause");
          promised(check(*held, done), "the stream as it should be");
        }
        struct lockfast_statistics now = {};
        lockfast_get_statistics(&now);
        promised(now.live == 0, "nothing left behind");
        if (under_tsan) lockfast::refresher::stop();  // else the sanitizer waits a second for its thread
        _exit(!was_refused ? every_call_was_let : done ? done_all_the_same : refused_deed);
      });
      CAPTURE(n);
      CAPTURE(end.text);
      const bool breach = end.signal == SIGABRT && end.said("access refused");
      const bool known = breach || (end.signal == 0 && end.status >= every_call_was_let && end.status <= refused_deed);
      CHECK(known);
      refusals += end.status == refused_deed ? 1 : 0;
      more = end.status != every_call_was_let && known;
    }
  }
  return refusals;
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
