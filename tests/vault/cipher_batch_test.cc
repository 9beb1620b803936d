// cipher_batch_test.cc - messages that are sealed or opened together are what each is by itself, and leave as little behind.
#include "boojum/crypto/cipher_batch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "support/sanitized.h"
#include "support/stack_search.h"

namespace {

using lockfast::internal::batched_message;
using lockfast::internal::nonce;
using lockfast::internal::tag_size;
using bytes = std::vector<std::byte>;

bytes pattern(std::size_t size, std::size_t from) {
  bytes made(size);
  for (std::size_t at = 0; at < size; ++at) made[at] = static_cast<std::byte>(from + at * 31 + (at >> 8));
  return made;
}

const bytes key_bytes = pattern(lockfast::internal::key_size, 0x51);
const lockfast::internal::key_view key(key_bytes.data(), lockfast::internal::key_size);

struct message {
  bytes plain;
  bytes associated;
  nonce once{};
  bytes sealed;
  std::array<std::byte, tag_size> tag{};
  bytes room;
  std::array<std::byte, tag_size> room_tag{};
};

// Of several messages: what they are, sealed one by one, and room to do it together.
struct several {
  explicit several(const std::vector<std::size_t>& sizes, std::size_t seed = 0) {
    for (const std::size_t size : sizes) {
      const std::size_t number = all.size();
      message& next = all.emplace_back();
      next.plain = pattern(size, number * 7 + 1 + seed);
      next.associated = pattern(number * 5 % 40, number);
      const bytes drawn = pattern(next.once.size(), number * 17 + 3 + seed);
      std::ranges::copy(drawn, next.once.begin());
      next.sealed = bytes(size);
      lockfast::internal::seal(key, next.once, next.associated, next.plain, next.sealed, next.tag);
      next.room = bytes(size, std::byte{0xee});
    }
  }

  // From one of the parts of each into its room.
  [[nodiscard]] std::vector<batched_message> from(bytes message::*part) {
    std::vector<batched_message> made;
    for (message& each : all) made.push_back({&each.once, each.associated, each.*part, each.room.data(), &each.room_tag});
    return made;
  }

  std::vector<message> all;
};

// A batch and all its parts, and more than one; long and short ones beside each other, none at all as well.
std::vector<std::vector<std::size_t>> mixtures() {
  std::vector<std::vector<std::size_t>> made = {
      {},
      {0, 0, 0},
      {1, 700, 16, 5000, 64, 0, 65, 128, 129, 31},
      {63, 64, 65},
      {100, 33, 32, 257, 577},
  };
  for (std::size_t count = 1; count <= 3 * lockfast::internal::cipher_batch_size + 1; ++count) made.emplace_back(count, 32);
  return made;
}

}  // namespace

TEST_CASE("messages sealed together are what each is by itself, in place too") {
  for (const auto& sizes : mixtures()) {
    CAPTURE(sizes.size());
    several messages(sizes);
    seal_together(key, messages.from(&message::plain));
    for (const auto& each : messages.all) {
      REQUIRE(each.room == each.sealed);
      REQUIRE(each.room_tag == each.tag);
    }
    for (auto& each : messages.all) each.room = each.plain;
    seal_together(key, messages.from(&message::room));
    for (const auto& each : messages.all) REQUIRE(each.room == each.sealed);
  }
}

TEST_CASE("messages opened together are plain again, in place too") {
  for (const auto& sizes : mixtures()) {
    CAPTURE(sizes.size());
    several messages(sizes);
    for (auto& each : messages.all) each.room_tag = each.tag;
    REQUIRE(open_together(key, messages.from(&message::sealed)));
    for (const auto& each : messages.all) REQUIRE(each.room == each.plain);
    for (auto& each : messages.all) each.room = each.sealed;
    REQUIRE(open_together(key, messages.from(&message::room)));
    for (const auto& each : messages.all) REQUIRE(each.room == each.plain);
  }
}

TEST_CASE("of messages opened together one that was changed is found, and wiped alone") {
  const std::vector<std::size_t> sizes(lockfast::internal::cipher_batch_size + 3, 40);
  for (std::size_t changed = 0; changed < sizes.size(); ++changed) {
    CAPTURE(changed);
    for (const bool in_tag : {true, false}) {
      several messages(sizes);
      for (auto& each : messages.all) each.room_tag = each.tag;
      (in_tag ? messages.all[changed].room_tag[15] : messages.all[changed].sealed[39]) ^= std::byte{0x80};
      REQUIRE_FALSE(open_together(key, messages.from(&message::sealed)));
      for (std::size_t at = 0; at < sizes.size(); ++at) {
        REQUIRE(messages.all[at].room == (at == changed ? bytes(40) : messages.all[at].plain));
      }
    }
  }
}

namespace {

// How many words of the secrets of a batch are on the stack behind it.
struct words_left {
  std::size_t control;  // of what was put there
  std::size_t sealing;
  std::size_t opening;
};

words_left left_by(std::size_t count, std::size_t size, std::size_t seed) {
  several messages(std::vector<std::size_t>(count, size), seed);
  std::vector<std::uint32_t> secret;
  secret.reserve((3 * size + 4 * lockfast::internal::key_size) * count);
  add_words(secret, key_bytes);
  bytes subkey(lockfast::internal::key_size);
  for (auto& each : messages.all) {
    lockfast::internal::hchacha20(key, std::span<const std::byte, 16>(each.once.data(), 16),
                                  std::span<std::byte, lockfast::internal::key_size>(subkey.data(), subkey.size()));
    bytes keystream(size);
    for (std::size_t at = 0; at < size; ++at) keystream[at] = each.plain[at] ^ each.sealed[at];
    add_words(secret, subkey);
    add_words(secret, keystream);
    add_words(secret, each.plain);
    each.room_tag = each.tag;
  }
  const auto plain = messages.from(&message::plain);
  const auto sealed = messages.from(&message::sealed);

  words_left found{};
  paint_stack();
  leave_on_stack(subkey);
  found.control = count_on_stack(secret);
  paint_stack();
  seal_together(key, plain);
  found.sealing = count_on_stack(secret);
  paint_stack();
  const bool opened = open_together(key, sealed);
  found.opening = count_on_stack(secret);
  CHECK(opened);
  return found;
}

}  // namespace

TEST_CASE("a batch leaves neither key nor keystream nor plain bytes on the stack") {
  if (sanitized || counts_lines()) {
    MESSAGE("skipped: a sanitizer has stacks of its own, and counters of lines have words spilt");
    return;
  }
  for (const std::size_t count : {std::size_t{3}, std::size_t{4}, lockfast::internal::cipher_batch_size}) {
    for (const std::size_t size : {32U, 700U, 5000U}) {
      CAPTURE(count);
      CAPTURE(size);
      // Of tens of thousands of words one can be a word of an address by chance, but hardly one of either of two batches.
      const words_left one = left_by(count, size, 0);
      const words_left other = left_by(count, size, 101);
      REQUIRE(std::min(one.control, other.control) > 0);
      CHECK(std::min(one.sealing, other.sealing) == 0);
      CHECK(std::min(one.opening, other.opening) == 0);
    }
  }
}
