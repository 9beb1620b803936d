// same_string.h - calls a function of std::string and the same one of lockfast::string, and compares what they give and leave.
#ifndef LOCKFAST_TESTS_BOOJUM_SAME_STRING_H
#define LOCKFAST_TESTS_BOOJUM_SAME_STRING_H

#include <doctest/doctest.h>
#include <lockfast/allocator.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace lockfast::testing {

inline constexpr std::array<std::string_view, 4> beginnings = {
    "", "abcabc", "bca", "a text that is longer than any object holds: abcabcabc and abc"};

template <class Text>
std::string ordinary(const Text& text) {
  return std::string(text.data(), text.size());
}

// What a call gave, as text: a number, an index, a text, the string itself, or an exception.
template <class Text, class Result>
std::string told(const Text& text, const Result& result) {
  if constexpr (std::is_same_v<Result, typename Text::iterator> || std::is_same_v<Result, typename Text::const_iterator>) {
    return "index: " + std::to_string(result - text.begin());
  } else if constexpr (std::is_same_v<Result, Text> || std::is_convertible_v<const Result&, std::string_view>) {
    return "text: " + ordinary(std::string_view(result));
  } else {
    return std::to_string(result);
  }
}

// What a call gave, and what it left.
struct seen {
  std::string outcome;
  std::string left;
  bool ended = false;  // by a zero, as c_str() promises
  bool sized = true;   // the block of ours, if it has one, is as long as its capacity says
};

template <class Text, class Call>
std::string outcome(Text& text) {
  const Call call{};
  using result = decltype(call(text));
  if constexpr (std::is_void_v<result>) {
    call(text);
    return "void";
  } else if constexpr (std::is_same_v<result, Text&>) {
    return &call(text) == &text ? "itself" : "another";
  } else {
    auto&& given = call(text);
    return told(text, given);
  }
}

template <class Text>
seen looked_at(std::string_view beginning, std::string (*call)(Text&)) {
  Text text(beginning);
  seen found;
  try {
    found.outcome = call(text);
  } catch (const std::out_of_range&) {
    found.outcome = "out of range";
  }
  found.left = ordinary(text);
  found.ended = text.c_str()[text.size()] == '\0';
  if constexpr (std::is_same_v<Text, lockfast::string>) {
    found.sized = text.empty() || lockfast_size(text.data()) == text.capacity() + 1;
  }
  return found;
}

// The call, which is given either string, gives the same and leaves the same text, from each beginning. No template, and so
// compiled once: there are hundreds of calls.
inline void same(int line, std::string (*theirs)(std::string&), std::string (*ours)(lockfast::string&)) {
  for (const std::string_view beginning : beginnings) {
    const seen expected = looked_at(beginning, theirs);
    const seen got = looked_at(beginning, ours);
    INFO("line " << line << ", from '" << beginning << "'");
    CHECK(got.outcome == expected.outcome);
    CHECK(got.left == expected.left);
    CHECK(got.ended);
    CHECK(got.sized);
  }
}

template <class Call>
void same(int line, Call) {
  same(line, outcome<std::string, Call>, outcome<lockfast::string, Call>);
}

// One row: s is either string; text is its type.
#define SAME(...)                                                   \
  lockfast::testing::same(__LINE__, [](auto& s) -> decltype(auto) { \
    using text [[maybe_unused]] = std::decay_t<decltype(s)>;        \
    return __VA_ARGS__;                                             \
  })

}  // namespace lockfast::testing

#endif
