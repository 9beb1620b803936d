// string_searches.hpp - the functions of a string that look for something in its text, and those that compare a part of it. Included by
// string.hpp.
#ifndef LOCKFAST_DETAIL_STRING_SEARCHES_HPP
#define LOCKFAST_DETAIL_STRING_SEARCHES_HPP

#include <lockfast/detail/string_arguments.hpp>

#include <cstddef>
#include <string_view>

namespace lockfast {

// The searches and comparisons of std::string, for a class Text that has this one as its base and converts to std::string_view. Where a
// function takes an index and does not find it, it throws std::out_of_range.
template <class Text>
class text_searches {
 public:
  // As an index: not found. As a count: all that there are.
  static constexpr std::size_t npos = std::string_view::npos;

  // The index of what is found, or npos.
  [[nodiscard]] std::size_t find(const Text& what, std::size_t from = 0) const noexcept { return view().find(what, from); }
  [[nodiscard]] std::size_t find(const detail::text auto& what, std::size_t from = 0) const {
    return view().find(detail::view_of(what), from);
  }
  [[nodiscard]] std::size_t find(const char* what, std::size_t from, std::size_t length) const {
    return view().find(what, from, length);
  }
  [[nodiscard]] std::size_t find(char what, std::size_t from = 0) const noexcept { return view().find(what, from); }
  [[nodiscard]] std::size_t rfind(const Text& what, std::size_t from = npos) const noexcept { return view().rfind(what, from); }
  [[nodiscard]] std::size_t rfind(const detail::text auto& what, std::size_t from = npos) const {
    return view().rfind(detail::view_of(what), from);
  }
  [[nodiscard]] std::size_t rfind(const char* what, std::size_t from, std::size_t length) const {
    return view().rfind(what, from, length);
  }
  [[nodiscard]] std::size_t rfind(char what, std::size_t from = npos) const noexcept { return view().rfind(what, from); }

  // The index of the first or last character that is any of these, or none of these; or npos.
  [[nodiscard]] std::size_t find_first_of(const Text& any, std::size_t from = 0) const noexcept {
    return view().find_first_of(any, from);
  }
  [[nodiscard]] std::size_t find_first_of(const detail::text auto& any, std::size_t from = 0) const {
    return view().find_first_of(detail::view_of(any), from);
  }
  [[nodiscard]] std::size_t find_first_of(const char* any, std::size_t from, std::size_t length) const {
    return view().find_first_of(any, from, length);
  }
  [[nodiscard]] std::size_t find_first_of(char one, std::size_t from = 0) const noexcept {
    return view().find_first_of(one, from);
  }
  [[nodiscard]] std::size_t find_last_of(const Text& any, std::size_t from = npos) const noexcept {
    return view().find_last_of(any, from);
  }
  [[nodiscard]] std::size_t find_last_of(const detail::text auto& any, std::size_t from = npos) const {
    return view().find_last_of(detail::view_of(any), from);
  }
  [[nodiscard]] std::size_t find_last_of(const char* any, std::size_t from, std::size_t length) const {
    return view().find_last_of(any, from, length);
  }
  [[nodiscard]] std::size_t find_last_of(char one, std::size_t from = npos) const noexcept {
    return view().find_last_of(one, from);
  }
  [[nodiscard]] std::size_t find_first_not_of(const Text& any, std::size_t from = 0) const noexcept {
    return view().find_first_not_of(any, from);
  }
  [[nodiscard]] std::size_t find_first_not_of(const detail::text auto& any, std::size_t from = 0) const {
    return view().find_first_not_of(detail::view_of(any), from);
  }
  [[nodiscard]] std::size_t find_first_not_of(const char* any, std::size_t from, std::size_t length) const {
    return view().find_first_not_of(any, from, length);
  }
  [[nodiscard]] std::size_t find_first_not_of(char one, std::size_t from = 0) const noexcept {
    return view().find_first_not_of(one, from);
  }
  [[nodiscard]] std::size_t find_last_not_of(const Text& any, std::size_t from = npos) const noexcept {
    return view().find_last_not_of(any, from);
  }
  [[nodiscard]] std::size_t find_last_not_of(const detail::text auto& any, std::size_t from = npos) const {
    return view().find_last_not_of(detail::view_of(any), from);
  }
  [[nodiscard]] std::size_t find_last_not_of(const char* any, std::size_t from, std::size_t length) const {
    return view().find_last_not_of(any, from, length);
  }
  [[nodiscard]] std::size_t find_last_not_of(char one, std::size_t from = npos) const noexcept {
    return view().find_last_not_of(one, from);
  }

  // Whether the text has this, begins with it, ends with it.
  [[nodiscard]] bool contains(std::string_view what) const noexcept { return view().find(what) != npos; }
  [[nodiscard]] bool contains(char what) const noexcept { return view().find(what) != npos; }
  [[nodiscard]] bool contains(const char* what) const { return view().find(what) != npos; }
  [[nodiscard]] bool starts_with(std::string_view what) const noexcept { return view().starts_with(what); }
  [[nodiscard]] bool starts_with(char what) const noexcept { return view().starts_with(what); }
  [[nodiscard]] bool starts_with(const char* what) const { return view().starts_with(what); }
  [[nodiscard]] bool ends_with(std::string_view what) const noexcept { return view().ends_with(what); }
  [[nodiscard]] bool ends_with(char what) const noexcept { return view().ends_with(what); }
  [[nodiscard]] bool ends_with(const char* what) const { return view().ends_with(what); }

  // Compare the text, or count characters of it from `at` on, with another, or a part of that; a number below, equal to or above 0.
  [[nodiscard]] int compare(const Text& other) const noexcept { return view().compare(other); }
  [[nodiscard]] int compare(const detail::text auto& other) const { return view().compare(detail::view_of(other)); }
  [[nodiscard]] int compare(std::size_t at, std::size_t count, const Text& other) const {
    return view().substr(at, count).compare(other);
  }
  [[nodiscard]] int compare(std::size_t at, std::size_t count, const detail::text auto& other) const {
    return view().substr(at, count).compare(detail::view_of(other));
  }
  [[nodiscard]] int compare(std::size_t at, std::size_t count, const char* other, std::size_t length) const {
    return view().compare(at, count, other, length);
  }
  [[nodiscard]] int compare(std::size_t at, std::size_t count, const Text& other, std::size_t from,
                            std::size_t length = npos) const {
    return view().compare(at, count, other, from, length);
  }
  [[nodiscard]] int compare(std::size_t at, std::size_t count, const detail::text_with_size auto& other, std::size_t from,
                            std::size_t length = npos) const {
    return view().compare(at, count, detail::view_of(other), from, length);
  }

 private:
  friend Text;
  text_searches() = default;

  [[nodiscard]] std::string_view view() const noexcept { return static_cast<const Text&>(*this); }
};

}  // namespace lockfast

#endif
