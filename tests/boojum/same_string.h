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

template <class Text, class Call>
std::string outcome(Text& text, Call& call) {
  try {
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
  } catch (const std::out_of_range&) {
    return "out of range";
  }
}

// The call, which is given either string, gives the same and leaves the same text, from each beginning.
template <class Call>
void same(int line, Call call) {
  for (const std::string_view beginning : beginnings) {
    std::string theirs(beginning);
    lockfast::string ours(beginning);
    const std::string expected = outcome(theirs, call);
    const std::string got = outcome(ours, call);
    INFO("line " << line << ", from '" << beginning << "'");
    CHECK(got == expected);
    CHECK(ordinary(ours) == theirs);
    CHECK(ours.c_str()[ours.size()] == '\0');
    CHECK((ours.empty() || lockfast_size(ours.data()) == ours.capacity() + 1));
  }
}

// One row: s is either string; text is its type.
#define SAME(...)                                                   \
  lockfast::testing::same(__LINE__, [](auto& s) -> decltype(auto) { \
    using text [[maybe_unused]] = std::decay_t<decltype(s)>;        \
    return __VA_ARGS__;                                             \
  })

}  // namespace lockfast::testing

#endif
