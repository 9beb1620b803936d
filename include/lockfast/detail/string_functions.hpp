// string_functions.hpp - what the standard library has for std::string beside its members: erase, erase_if, std::hash. Included by
// allocator.hpp.
#ifndef LOCKFAST_DETAIL_STRING_FUNCTIONS_HPP
#define LOCKFAST_DETAIL_STRING_FUNCTIONS_HPP

#include <lockfast/detail/not_formatted.hpp>
#include <lockfast/detail/string.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string_view>

namespace lockfast {

// Takes every such character away, as std::erase and std::erase_if do; returns how many there were.
template <class Which>
string::size_type erase_if(string& text, Which which) {
  const string::size_type before = text.size();
  text.erase(std::remove_if(text.begin(), text.end(), which), text.end());
  return before - text.size();
}
template <class Character>
string::size_type erase(string& text, Character which) {
  return erase_if(text, [&](char each) { return each == which; });
}

}  // namespace lockfast

// The hash of its std::string_view.
template <>
struct std::hash<lockfast::string> {
  [[nodiscard]] std::size_t operator()(const lockfast::string& text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

#if defined(__cpp_lib_format_ranges)
template <>
inline constexpr std::range_format std::format_kind<lockfast::string> = std::range_format::disabled;
#endif

#endif
