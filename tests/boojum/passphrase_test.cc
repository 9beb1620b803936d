// passphrase_test.cc - set, use, compare, replace, expire, clear, derive.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>

#include <cstring>
#include <string>
#include <thread>

#include "support/stalls.h"

using namespace lockfast;
using namespace std::chrono_literals;

namespace {

std::span<const char> text(const char* characters) { return {characters, std::strlen(characters)}; }

std::expected<passphrase, memory_error> take(std::string typed, passphrase::options chosen = {.prekey = 64}) {
  auto made = passphrase::take(std::span<char>(typed), chosen);
  if (made) CHECK(typed == std::string(typed.size(), '\0'));
  return made;
}

constexpr scrypt_cost cheap = {.work = 4};

std::span<const std::byte> salt(const char* characters) { return std::as_bytes(text(characters)); }

}  // namespace

TEST_CASE("a passphrase is taken, its source wiped, and used within a scope") {
  const auto phrase = take("correct horse");
  REQUIRE(phrase);
  CHECK(phrase->available());
  std::string seen;
  CHECK(phrase->use(
      [&](std::span<const std::byte> bytes) { seen.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }));
  CHECK(seen == "correct horse");
  const auto passed_on = phrase->use(
      [](std::span<const std::byte>) -> std::expected<void, memory_error> { return std::unexpected(memory_error::not_found); });
  CHECK(passed_on.error() == memory_error::not_found);
}

TEST_CASE("an empty passphrase is refused") { CHECK(passphrase::take(std::span<char>()).error() == memory_error::zero_size); }

TEST_CASE("a time that is over before the passphrase is taken is refused, and what was typed is left") {
  for (const passphrase::options& chosen : {passphrase::options{.idle_expiry = std::chrono::milliseconds(-1)},
                                            passphrase::options{.lifetime = std::chrono::milliseconds(-1)}}) {
    std::string typed = "brief";
    CHECK(passphrase::take(std::span<char>(typed), chosen).error() == memory_error::limit_exceeded);
    CHECK(typed == "brief");
  }
}

TEST_CASE("a passphrase equals itself and nothing else") {
  const auto phrase = take("correct horse");
  CHECK(*phrase->equals(text("correct horse")));
  for (const char* other : {"correct hors", "correct horse ", "Correct horse", "correct horsf", ""}) {
    CHECK_FALSE(*phrase->equals(text(other)));
  }
}

TEST_CASE("a passphrase is replaced when what depends on it was changed, and stays when that failed") {
  auto phrase = take("old");
  std::string typed = "new";
  const auto failed =
      phrase->replace(std::span<char>(typed), [](std::span<const std::byte>) -> std::expected<void, memory_error> {
        return std::unexpected(memory_error::file_system);
      });
  CHECK(failed.error() == memory_error::file_system);
  CHECK(*phrase->equals(text("old")));
  CHECK(typed == "new");

  CHECK_THROWS_AS((void)phrase->replace(std::span<char>(typed), [](std::span<const std::byte>) { throw 1; }), int);
  CHECK(*phrase->equals(text("old")));

  std::string seen;
  CHECK(phrase->replace(std::span<char>(typed), [&](std::span<const std::byte> bytes) {
    seen.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }));
  CHECK(seen == "new");
  CHECK(typed == std::string(3, '\0'));
  CHECK(*phrase->equals(text("new")));
}

TEST_CASE("a passphrase that another is moved into is cleared, and becomes that one") {
  auto phrase = take("old");
  auto other = take("new");
  *phrase = std::move(*other);
  CHECK(*phrase->equals(text("new")));
  CHECK_FALSE(other->available());
  auto& same = *phrase;
  *phrase = std::move(same);
  CHECK(*phrase->equals(text("new")));
}

TEST_CASE("a cleared passphrase is not available, and can be set again") {
  auto phrase = take("first");
  phrase->clear();
  CHECK_FALSE(phrase->available());
  CHECK(phrase->use([](std::span<const std::byte>) {}).error() == memory_error::wiped);
  CHECK(phrase->equals(text("first")).error() == memory_error::wiped);
  CHECK(phrase->derive(salt("s"), cheap).error() == memory_error::wiped);
  std::string typed = "second";
  CHECK(phrase->set(std::span<char>(typed)));
  CHECK(typed == std::string(6, '\0'));
  CHECK(phrase->available());
  CHECK(*phrase->equals(text("second")));
}

TEST_CASE("an idle passphrase expires, without a use and at the next use, and a use keeps it") {
  refresher::stop();
  const auto brief = [] { return take("brief", {.idle_expiry = 200ms, .prekey = 64}); };
  auto phrase = brief();
  CHECK(holds_unless_stalled(200ms, [&](steps& taken) {
    phrase = brief();
    for (int round = 0; round < 4; ++round) {
      std::this_thread::sleep_for(80ms);
      if (!phrase->equals(text("brief"))) return false;
      taken.step();
    }
    return true;
  }));
  std::this_thread::sleep_for(250ms);
  CHECK(phrase->use([](std::span<const std::byte>) {}).error() == memory_error::expired);
  CHECK_FALSE(phrase->available());
  std::string typed = "again";
  CHECK(phrase->set(std::span<char>(typed)));
  CHECK(phrase->available());

  // The refresher wipes it though nobody asks.
  struct lockfast_statistics before;
  lockfast_get_statistics(&before);
  refresher::period(5ms);
  CHECK(refresher::start());
  struct lockfast_statistics now = before;
  for (int wait = 0; wait < 3000 && now.live >= before.live; ++wait) {
    std::this_thread::sleep_for(1ms);
    lockfast_get_statistics(&now);
  }
  CHECK(now.live < before.live);
  CHECK(phrase->equals(text("again")).error() == memory_error::expired);
  refresher::period(refresher::default_period);
}

TEST_CASE("a passphrase with the longest expiry there is stays") {
  const auto phrase = take("long", {.idle_expiry = std::chrono::milliseconds::max(), .prekey = 64});
  CHECK(phrase->available());
  CHECK(phrase->equals(text("long")));
}

TEST_CASE("a passphrase that has expired and is cleared is wiped") {
  auto phrase = take("brief", {.idle_expiry = 1ms, .prekey = 64});
  std::this_thread::sleep_for(5ms);
  REQUIRE(phrase->equals(text("brief")).error() == memory_error::expired);
  phrase->clear();
  CHECK(phrase->equals(text("brief")).error() == memory_error::wiped);
}

TEST_CASE("a passphrase without an expiry stays") {
  const auto phrase = take("long");
  std::this_thread::sleep_for(20ms);
  CHECK(phrase->available());
}

TEST_CASE("a key depends on passphrase, salt, cost and size, and is the same each time") {
  const auto phrase = take("correct horse");
  const auto key = phrase->derive(salt("salt"), cheap);
  REQUIRE(key);
  CHECK(key->size() == 32);
  CHECK(*key == *phrase->derive(salt("salt"), cheap));
  CHECK(*key == *take("correct horse")->derive(salt("salt"), cheap));
  CHECK_FALSE(*key == *phrase->derive(salt("Salt"), cheap));
  CHECK_FALSE(*key == *phrase->derive(salt("salt"), {.work = 5}));
  CHECK_FALSE(*key == *phrase->derive(salt("salt"), {.work = 4, .block = 4}));
  CHECK_FALSE(*key == *take("correct horsf")->derive(salt("salt"), cheap));
  CHECK_FALSE(*key == *take(std::string("correct horse\0", 14))->derive(salt("salt"), cheap));
  CHECK_FALSE(*take("a passphrase of thirty-two bytes")->derive(salt("s"), cheap) ==
              *take("a passphrase of thirty-two byteS")->derive(salt("s"), cheap));
  CHECK(phrase->derive(salt("salt"), cheap, 64)->size() == 64);
}

TEST_CASE("a key is that of the documented construction") {
  // Computed by an implementation of docs/boojum.md in another language (tests/boojum/passphrase_key.py).
  const auto key = take("correct horse battery staple")->derive(salt("0123456789abcdef"), {.work = 10});
  REQUIRE(key);
  const auto view = key->read();
  std::string hex;
  for (const std::byte byte : view) {
    constexpr const char* digits = "0123456789abcdef";
    hex += {digits[std::to_integer<unsigned>(byte) >> 4], digits[std::to_integer<unsigned>(byte) & 15]};
  }
  CHECK(hex == "960681d8f9def2e2e6e48e2acaa28a57f9b2d1f4785fc2b212b4e30240575624");
}

TEST_CASE("a cost out of its range is refused") {
  const auto phrase = take("correct horse");
  CHECK(phrase->derive(salt("s"), {.work = 0}).error() == memory_error::limit_exceeded);
  CHECK(phrase->derive(salt("s"), {.work = 25}).error() == memory_error::limit_exceeded);
  CHECK(phrase->derive(salt("s"), {.work = 4, .block = 0}).error() == memory_error::limit_exceeded);
  CHECK(phrase->derive(salt("s"), {.work = 4, .parallel = 65}).error() == memory_error::limit_exceeded);
  CHECK(phrase->derive(salt("s"), cheap, 0).error() == memory_error::zero_size);
}

TEST_CASE("a passphrase is used, compared, replaced and cleared by many threads at once") {
  auto phrase = take("aaaa");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&, each] {
      for (int round = 0; round < 50; ++round) {
        if (each == 0) {
          std::string typed(4, static_cast<char>('a' + round % 26));
          wrong += !phrase->set(std::span<char>(typed));
        } else if (each == 1) {
          wrong += !phrase->available();
        } else {
          wrong += !phrase->use([&](std::span<const std::byte> bytes) {
            for (const std::byte byte : bytes) wrong += byte != bytes[0];
          });
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("the lifetime of a passphrase ends however often it is used, and its owner is told once") {
  int told = 0;
  const auto brief = [&] { return take("brief", {.prekey = 64, .lifetime = 300ms, .on_expiry = [&] { ++told; }}); };
  auto phrase = brief();
  CHECK(holds_unless_stalled(300ms, [&](steps& taken) {
    phrase = brief();
    told = 0;
    int uses = 0;
    for (; phrase->equals(text("brief")); ++uses) taken.step();
    return uses > 1;
  }));
  CHECK(phrase->equals(text("brief")).error() == memory_error::expired);
  CHECK_FALSE(phrase->available());
  CHECK(told == 1);
  std::string typed = "again";
  CHECK(phrase->set(std::span<char>(typed)));
  CHECK(phrase->available());
}

TEST_CASE("a passphrase is idle from the end of a use on, not from its beginning") {
  const auto brief = [] { return take("brief", {.idle_expiry = 400ms, .prekey = 64}); };
  auto phrase = brief();
  CHECK(holds_unless_stalled(400ms, [&](steps& taken) {
    phrase = brief();
    std::chrono::milliseconds rest = 600ms;
    const auto used = phrase->use([&](std::span<const std::byte>) {
      for (; rest > 0ms; rest -= 100ms, taken.step()) std::this_thread::sleep_for(100ms);
      return phrase->available();
    });
    return used.value_or(false) && phrase->available();
  }));
  std::this_thread::sleep_for(600ms);
  CHECK_FALSE(phrase->available());
}

TEST_CASE("a use gives a value, or the function's own refusal, in one std::expected") {
  std::string typed = "four words of mine";
  const auto phrase = passphrase::take(std::span<char>(typed));
  REQUIRE(phrase.has_value());
  const std::expected<std::size_t, memory_error> size = phrase->use([](std::span<const std::byte> bytes) { return bytes.size(); });
  CHECK(size == 18);
  const std::expected<int, memory_error> refused =
      phrase->use([](auto) -> std::expected<int, memory_error> { return std::unexpected(memory_error::cancelled); });
  CHECK(refused.error() == memory_error::cancelled);
}
