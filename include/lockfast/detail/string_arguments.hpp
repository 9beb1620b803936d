// string_arguments.hpp - what the functions of a string take: text, iterators and ranges. Included by string.hpp.
#ifndef LOCKFAST_DETAIL_STRING_ARGUMENTS_HPP
#define LOCKFAST_DETAIL_STRING_ARGUMENTS_HPP

#include <lockfast/allocator.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>

namespace lockfast::detail {

template <class T>
concept pointer_to_text = std::convertible_to<const T&, const char*> && !std::same_as<T, std::nullptr_t>;

// What comparisons and + take.
template <class T>
concept viewable_text = std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

// What a function takes beside a string.
template <class T>
concept text = viewable_text<T> || pointer_to_text<T>;

// What it takes before an index, where a number behind a pointer is a length.
template <class T>
concept text_with_size = viewable_text<T> && !pointer_to_text<T>;

// The std::basic_string that lies in memory for secrets, but for a short text.
template <class T>
concept text_of_our_allocator = requires { requires std::same_as<typename T::allocator_type, allocator<char>>; };

// An iterator of a string. What converts to one is none: a literal 0 is an index.
template <class T>
concept text_iterator = std::same_as<T, char*> || std::same_as<T, const char*>;

// An iterator of C++20, or of the standards before.
template <class T>
concept any_input_iterator = std::input_iterator<T> || requires {
  requires std::convertible_to<typename std::iterator_traits<T>::iterator_category, std::input_iterator_tag>;
};

template <class T>
concept range_of_text = requires(T& range) {
  { std::ranges::begin(range) } -> std::input_iterator;
  { *std::ranges::begin(range) } -> std::convertible_to<char>;
  std::ranges::end(range);
};

template <text Text>
[[nodiscard]] std::string_view view_of(const Text& text) {
  if constexpr (pointer_to_text<Text>) {
    return static_cast<const char*>(text);
  } else {
    return text;
  }
}

// What two iterators enclose: a view, or a new Text where they are not of characters in a row.
template <class Text, class Iterator, class End>
[[nodiscard]] auto collected(Iterator first, End last) {
  if constexpr (std::contiguous_iterator<Iterator> && std::sized_sentinel_for<End, Iterator> &&
                std::same_as<std::iter_value_t<Iterator>, char>) {
    return std::string_view(std::to_address(first), static_cast<std::size_t>(last - first));
  } else {
    Text made;
    for (; first != last; ++first) made.push_back(static_cast<char>(*first));
    return made;
  }
}
template <class Text, class Range>
[[nodiscard]] auto collected(Range& characters) {
  return collected<Text>(std::ranges::begin(characters), std::ranges::end(characters));
}

}  // namespace lockfast::detail

#endif
