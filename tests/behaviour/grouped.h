// grouped.h - what the tests of grouped secrets share: secrets that are proven to be grouped, and how a child's end is judged.
#ifndef LOCKFAST_TESTS_BEHAVIOUR_GROUPED_H
#define LOCKFAST_TESTS_BEHAVIOUR_GROUPED_H

#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "support/check.h"
#include "support/child.h"
#include "support/reach.h"
#include "support/receipt.h"

inline constexpr std::size_t max_grouped = 16384;

inline constexpr const char* broken = "broken canary: bytes beside a secret were changed";
inline constexpr const char* twice = "double free: this secret was freed before";
inline constexpr const char* foreign = "invalid pointer: not from this allocator";
inline constexpr const char* inner = "interior pointer: not the start of a live secret";
inline constexpr const char* late = "write after free: a freed secret's bytes were changed";

// ---- In a child ---------------------------------------------------------------------------------------------------------

// What a test asks for, and what this run of the suite has in its environment of other keys.
inline void options(const std::string& text) {
  const auto key_of = [](const std::string& option) { return option.substr(0, option.find('=') + 1); };
  const char* const of_run = std::getenv("LOCKFAST_OPTIONS");
  std::string all = text;
  const std::string asked = std::string(1, ',').append(text);
  std::istringstream given(of_run == nullptr ? "" : of_run);
  for (std::string option; std::getline(given, option, ',');) {
    if (asked.find(std::string(1, ',').append(key_of(option))) == std::string::npos) all.append(1, ',').append(option);
  }
  prove(set_variable("LOCKFAST_OPTIONS", all.c_str()), "the variable");
}

inline struct lockfast_statistics statistics() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now;
}

// A live secret, proven to be grouped, so that no test passes by a null pointer or by another placement.
inline char* secret_of(std::size_t size) {
  auto* const made = static_cast<char*>(lockfast_malloc(size));
  prove(made != nullptr, "a secret");
  prove(receipt_of(made).placement == LOCKFAST_GROUPED, "a grouped secret");
  std::memset(made, 'x', size);
  return made;
}

inline bool filled(const char* bytes, std::size_t size, unsigned char value) {
  return std::all_of(bytes, bytes + size, [=](char byte) { return static_cast<unsigned char>(byte) == value; });
}

inline void flip(char* byte, unsigned bit = 0) { *byte = static_cast<char>(static_cast<unsigned char>(*byte) ^ (1U << bit)); }

// The bytes of a place that no secret has: zeros, or not mapped.
inline bool gone(const char* place, std::size_t size) {
  // In pieces: room for all of a large one could come to lie where it was.
  char left[4096];
  for (std::size_t at = 0; at < size; at += sizeof left) {
    const std::size_t piece = std::min(size - at, sizeof left);
    if (peek(place + at, piece, left) && !filled(left, piece, 0)) return false;
  }
  return true;
}

// How large a secret of this size can grow where it lies.
inline std::size_t capacity_of(std::size_t size) {
  char* const first = secret_of(size);
  for (std::size_t most = size;; ++most) {
    auto* const grown = static_cast<char*>(lockfast_realloc(first, most + 1));
    prove(grown != nullptr, "a larger secret");
    if (grown == first) continue;
    lockfast_free(grown);
    return most;
  }
}

// ---- In the test --------------------------------------------------------------------------------------------------------

inline void check_breach(const ending& end, const char* line) {
  CAPTURE(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == std::string("lockfast: ") + line + "\n");
}

#endif
