// string.hpp - string: text whose characters, few or many, are in memory for secrets and never in the object itself. Included by
// allocator.hpp.
//
//    std::string         | pointer | size | hunter2 \0 . . . |      up to 15 characters, or 22, are in the object
//    lockfast::string    | pointer | size | capacity         |
//                             \--> | canary | hunter2 \0 . . . | canary |
//
// A std::basic_string with an allocator of ours keeps short text in the object too, and some of its functions make such a string on
// the stack, which nobody wipes. This class has the members of std::string as of C++23. Left out are:
//   - >> and getline, since a stream keeps a copy of what it reads: secret_input.hpp reads without one;
//   - std::format and std::print, which would leave the text in buffers of their own. << gives it to a stream, whose buffer keeps it
//     in the same way: take << where that stream is wiped, and std::string_view(text) where a copy does no harm;
//   - std::stoi and the like, which take a std::string: std::from_chars reads from data() on;
//   - std::erase and std::erase_if: no program may add functions to namespace std. erase(text, 'x') without std:: finds ours;
//   - reserve() without a number (shrink_to_fit), other allocators and characters, and constant expressions.
//
// The time of == depends on the text: where an attacker can measure it, compare with lockfast_equal.
//
// Invariant: each character is in held_, or in the held_ of another string for the length of a call.
//
// Threads: as std::string.
#ifndef LOCKFAST_DETAIL_STRING_HPP
#define LOCKFAST_DETAIL_STRING_HPP

#include <lockfast/detail/string_arguments.hpp>
#include <lockfast/detail/string_searches.hpp>
#include <lockfast/detail/string_storage.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <utility>
#if defined(__cpp_lib_containers_ranges)
#include <ranges>
#endif

namespace lockfast {

// Text in memory for secrets, with the functions of std::string. They take as text another string, characters up to a 0, and what
// converts to std::string_view. Errors: std::bad_alloc, where lockfast_malloc refuses; std::out_of_range. Both leave the string as it
// was.
class string : public text_searches<string> {
 public:
  // The types that every container of characters has.
  using traits_type = std::char_traits<char>;
  using value_type = char;
  using allocator_type = allocator<char>;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = char&;
  using const_reference = const char&;
  using pointer = char*;
  using const_pointer = const char*;
  using iterator = char*;
  using const_iterator = const char*;
  using reverse_iterator = std::reverse_iterator<iterator>;
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;

  // Copy the text that is given. A string without text, or one that was moved from, is empty and owns no memory. Allocators make no
  // difference, since all are equal.
  string() noexcept = default;
  explicit string(const allocator_type&) noexcept {}
  string(const string& other) { append(other); }
  string(const string& other, const allocator_type&) : string(other) {}
  string(string&& other) noexcept { swap(other); }
  string(string&& other, const allocator_type&) noexcept { swap(other); }
  string(const string& other, size_type from, const allocator_type& = {}) { append(other, from); }
  string(const string& other, size_type from, size_type count, const allocator_type& = {}) { append(other, from, count); }
  string(const char* text, const allocator_type& = {}) { append(text); }
  string(const char* text, size_type count, const allocator_type& = {}) { append(text, count); }
  string(std::nullptr_t) = delete;
  string(size_type count, char character, const allocator_type& = {}) { append(count, character); }
  string(std::initializer_list<char> characters, const allocator_type& = {}) { append(characters); }
  template <detail::text_with_size Text>
  explicit(!detail::text_of_our_allocator<Text>) string(const Text& text, const allocator_type& = {}) {
    append(text);
  }
  template <detail::text_with_size Text>
  string(const Text& text, size_type from, size_type count, const allocator_type& = {}) {
    append(text, from, count);
  }
  template <detail::any_input_iterator Iterator>
  string(Iterator first, Iterator last, const allocator_type& = {}) {
    append(first, last);
  }
#if defined(__cpp_lib_containers_ranges)
  template <detail::range_of_text Range>
  string(std::from_range_t, Range&& characters, const allocator_type& = {}) {
    append_range(characters);
  }
#endif

  // Replace the text.
  string& operator=(const string& other) { return assign(other); }
  string& operator=(string&& other) noexcept {
    string(std::move(other)).swap(*this);
    return *this;
  }
  template <detail::text Text>
  string& operator=(const Text& text) {
    return assign(text);
  }
  string& operator=(std::initializer_list<char> characters) { return assign(characters); }
  string& operator=(char character) { return assign(1, character); }
  string& operator=(std::nullptr_t) = delete;

  // Exchange the texts of two strings; no character is copied.
  void swap(string& other) noexcept { held_.swap(other.held_); }
  friend void swap(string& left, string& right) noexcept { left.swap(right); }

  // The characters, followed by a 0. Valid until the string changes.
  operator std::string_view() const noexcept { return view(); }
  [[nodiscard]] const char* c_str() const noexcept { return data(); }
  [[nodiscard]] const char* data() const noexcept { return held_.data(); }
  [[nodiscard]] char* data() noexcept { return held_.data(); }
  [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }

  // In characters, without the 0 at the end.
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] size_type size() const noexcept { return held_.size(); }
  [[nodiscard]] size_type length() const noexcept { return size(); }
  [[nodiscard]] size_type capacity() const noexcept { return held_.capacity(); }
  [[nodiscard]] static constexpr size_type max_size() noexcept { return detail::string_storage::max_size; }

  // One character. at throws std::out_of_range if there is none at the index; the others require that there is one.
  [[nodiscard]] const char& operator[](size_type at) const noexcept { return data()[at]; }
  [[nodiscard]] char& operator[](size_type at) noexcept { return data()[at]; }
  [[nodiscard]] const char& at(size_type at) const { return view().at(at); }
  [[nodiscard]] char& at(size_type at) { return const_cast<char&>(view().at(at)); }
  [[nodiscard]] const char& front() const noexcept { return data()[0]; }
  [[nodiscard]] char& front() noexcept { return data()[0]; }
  [[nodiscard]] const char& back() const noexcept { return data()[size() - 1]; }
  [[nodiscard]] char& back() noexcept { return data()[size() - 1]; }

  // Iterators, valid until the string changes.
  [[nodiscard]] const_iterator begin() const noexcept { return data(); }
  [[nodiscard]] const_iterator end() const noexcept { return data() + size(); }
  [[nodiscard]] iterator begin() noexcept { return data(); }
  [[nodiscard]] iterator end() noexcept { return data() + size(); }
  [[nodiscard]] const_iterator cbegin() const noexcept { return begin(); }
  [[nodiscard]] const_iterator cend() const noexcept { return end(); }
  [[nodiscard]] const_reverse_iterator rbegin() const noexcept { return const_reverse_iterator(end()); }
  [[nodiscard]] const_reverse_iterator rend() const noexcept { return const_reverse_iterator(begin()); }
  [[nodiscard]] reverse_iterator rbegin() noexcept { return reverse_iterator(end()); }
  [[nodiscard]] reverse_iterator rend() noexcept { return reverse_iterator(begin()); }
  [[nodiscard]] const_reverse_iterator crbegin() const noexcept { return rbegin(); }
  [[nodiscard]] const_reverse_iterator crend() const noexcept { return rend(); }

  // Replace characters by text, which may be a part of the string itself: those between two iterators, or count characters from `at`
  // on, fewer if the string ends before.
  string& replace(size_type at, size_type count, const string& text) { return put(at, count, text.view()); }
  template <detail::text Text>
  string& replace(size_type at, size_type count, const Text& text) {
    return put(at, count, detail::view_of(text));
  }
  string& replace(size_type at, size_type count, const char* text, size_type length) { return put(at, count, {text, length}); }
  string& replace(size_type at, size_type count, const string& text, size_type from, size_type length = npos) {
    return put(at, count, text.view().substr(from, length));
  }
  template <detail::text_with_size Text>
  string& replace(size_type at, size_type count, const Text& text, size_type from, size_type length = npos) {
    return put(at, count, detail::view_of(text).substr(from, length));
  }
  string& replace(size_type at, size_type count, size_type times, char character) {
    count = view().substr(at, count).size();
    traits_type::assign(held_.make_room(at, count, times), times, character);
    return *this;
  }
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, const string& text) {
    return put(index(first), index(last) - index(first), text.view());
  }
  template <detail::text Text>
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, const Text& text) {
    return put(index(first), index(last) - index(first), detail::view_of(text));
  }
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, const char* text, size_type length) {
    return put(index(first), index(last) - index(first), {text, length});
  }
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, size_type times, char character) {
    return replace(index(first), index(last) - index(first), times, character);
  }
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, std::initializer_list<char> characters) {
    return replace(first, last, characters.begin(), characters.end());
  }
  template <detail::any_input_iterator Iterator>
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, Iterator from, Iterator to) {
    return put(index(first), index(last) - index(first), detail::collected<string>(from, to));
  }
  template <detail::range_of_text Range>
  string& replace_with_range(detail::text_iterator auto first, detail::text_iterator auto last, Range&& characters) {
    return put(index(first), index(last) - index(first), detail::collected<string>(characters));
  }

  // Replace the text.
  string& assign(const string& text) { return put(0, npos, text.view()); }
  string& assign(string&& text) noexcept { return *this = std::move(text); }
  template <detail::text Text>
  string& assign(const Text& text) {
    return put(0, npos, detail::view_of(text));
  }
  string& assign(const char* text, size_type length) { return put(0, npos, {text, length}); }
  string& assign(const string& text, size_type from, size_type length = npos) { return replace(0, npos, text, from, length); }
  template <detail::text_with_size Text>
  string& assign(const Text& text, size_type from, size_type length = npos) {
    return replace(0, npos, text, from, length);
  }
  string& assign(size_type times, char character) { return replace(0, npos, times, character); }
  string& assign(std::initializer_list<char> characters) { return assign(characters.begin(), characters.end()); }
  template <detail::any_input_iterator Iterator>
  string& assign(Iterator first, Iterator last) {
    return put(0, npos, detail::collected<string>(first, last));
  }
  template <detail::range_of_text Range>
  string& assign_range(Range&& characters) {
    return put(0, npos, detail::collected<string>(characters));
  }

  // Append text.
  string& append(const string& text) { return put(size(), 0, text.view()); }
  template <detail::text Text>
  string& append(const Text& text) {
    return put(size(), 0, detail::view_of(text));
  }
  string& append(const char* text, size_type length) { return put(size(), 0, {text, length}); }
  string& append(const string& text, size_type from, size_type length = npos) { return replace(size(), 0, text, from, length); }
  template <detail::text_with_size Text>
  string& append(const Text& text, size_type from, size_type length = npos) {
    return replace(size(), 0, text, from, length);
  }
  string& append(size_type times, char character) { return replace(size(), 0, times, character); }
  string& append(std::initializer_list<char> characters) { return append(characters.begin(), characters.end()); }
  template <detail::any_input_iterator Iterator>
  string& append(Iterator first, Iterator last) {
    return put(size(), 0, detail::collected<string>(first, last));
  }
  template <detail::range_of_text Range>
  string& append_range(Range&& characters) {
    return put(size(), 0, detail::collected<string>(characters));
  }
  string& operator+=(const string& text) { return append(text); }
  template <detail::text Text>
  string& operator+=(const Text& text) {
    return append(text);
  }
  string& operator+=(char character) { return append(1, character); }
  string& operator+=(std::initializer_list<char> characters) { return append(characters); }
  void push_back(char character) { append(1, character); }

  // Insert text before a character. The iterator that is returned points to the first new character.
  string& insert(size_type at, const string& text) { return put(at, 0, text.view()); }
  template <detail::text Text>
  string& insert(size_type at, const Text& text) {
    return put(at, 0, detail::view_of(text));
  }
  string& insert(size_type at, const char* text, size_type length) { return put(at, 0, {text, length}); }
  string& insert(size_type at, const string& text, size_type from, size_type length = npos) {
    return replace(at, 0, text, from, length);
  }
  template <detail::text_with_size Text>
  string& insert(size_type at, const Text& text, size_type from, size_type length = npos) {
    return replace(at, 0, text, from, length);
  }
  string& insert(size_type at, size_type times, char character) { return replace(at, 0, times, character); }
  iterator insert(detail::text_iterator auto at, char character) { return insert(at, size_type{1}, character); }
  iterator insert(detail::text_iterator auto at, size_type times, char character) {
    const size_type index = this->index(at);
    return replace(index, 0, times, character).begin() + index;
  }
  iterator insert(detail::text_iterator auto at, std::initializer_list<char> characters) {
    return insert(at, characters.begin(), characters.end());
  }
  template <detail::any_input_iterator Iterator>
  iterator insert(detail::text_iterator auto at, Iterator first, Iterator last) {
    const size_type index = this->index(at);
    return put(index, 0, detail::collected<string>(first, last)).begin() + index;
  }
  template <detail::range_of_text Range>
  iterator insert_range(detail::text_iterator auto at, Range&& characters) {
    const size_type index = this->index(at);
    return put(index, 0, detail::collected<string>(characters)).begin() + index;
  }

  // Remove characters and wipe them.
  string& erase(size_type at = 0, size_type count = npos) { return put(at, count, {}); }
  iterator erase(detail::text_iterator auto at) { return erase(at, at + 1); }
  iterator erase(detail::text_iterator auto first, detail::text_iterator auto last) {
    const size_type index = this->index(first);
    return put(index, this->index(last) - index, {}).begin() + index;
  }
  void pop_back() { erase(size() - 1); }
  void clear() noexcept { erase(); }

  // Change the number of characters, or the number for which there is room. A block that the text leaves is wiped.
  void resize(size_type count, char character = '\0') {
    if (count > size()) {
      append(count - size(), character);
    } else {
      erase(count);
    }
  }
  // Calls write(data(), count), which writes characters and returns how many to keep. New characters are 0 before the call.
  template <class Write>
  void resize_and_overwrite(size_type count, Write write) {
    resize(count);
    const auto kept = static_cast<size_type>(std::move(write)(data(), +count));  // a copy of it
    data()[count] = '\0';                                                        // write may use it
    erase(kept);
  }
  void reserve(size_type count) { held_.reserve(count); }
  void shrink_to_fit() { held_.shrink(); }

  // Copy count characters, fewer if the string ends before.
  [[nodiscard]] string substr(size_type from = 0, size_type count = npos) const { return string(*this, from, count); }
  size_type copy(char* to, size_type count, size_type from = 0) const { return view().copy(to, count, from); }

  // Compare with what converts to std::string_view. The time depends on both texts.
  template <detail::viewable_text Text>
  [[nodiscard]] friend bool operator==(const string& left, const Text& right) noexcept {
    return left.view() == std::string_view(right);
  }
  template <detail::viewable_text Text>
  [[nodiscard]] friend auto operator<=>(const string& left, const Text& right) noexcept {
    return left.view() <=> std::string_view(right);
  }

  // Join two texts. A string that is an rvalue is appended to or inserted into, and returned.
  template <detail::viewable_text Text>
  [[nodiscard]] friend string operator+(const string& left, const Text& right) {
    return joined(left, right);
  }
  template <detail::viewable_text Text>
  [[nodiscard]] friend string operator+(string&& left, const Text& right) {
    return std::move(left.append(right));
  }
  template <detail::viewable_text Text>
    requires(!std::same_as<Text, string>)
  [[nodiscard]] friend string operator+(const Text& left, const string& right) {
    return joined(left, right);
  }
  template <detail::viewable_text Text>
    requires(!std::same_as<Text, string>)
  [[nodiscard]] friend string operator+(const Text& left, string&& right) {
    return std::move(right.insert(0, left));
  }
  [[nodiscard]] friend string operator+(const string& left, char right) { return joined(left, {&right, 1}); }
  [[nodiscard]] friend string operator+(string&& left, char right) { return std::move(left.append(1, right)); }
  [[nodiscard]] friend string operator+(char left, const string& right) { return joined({&left, 1}, right); }
  [[nodiscard]] friend string operator+(char left, string&& right) { return std::move(right.insert(0, 1, left)); }

  // Writes the text to a stream, whose buffer keeps it.
  template <class Stream>
    requires requires(Stream& out, std::string_view text) { out << text; }
  friend Stream& operator<<(Stream& out, const string& text) {
    out << text.view();
    return out;
  }

 private:
  [[nodiscard]] std::string_view view() const noexcept { return {data(), size()}; }
  [[nodiscard]] size_type index(const char* at) const noexcept { return static_cast<size_type>(at - data()); }

  // Replaces count characters from `at` on by text: all changes do but those that repeat a character.
  string& put(size_type at, size_type count, std::string_view text) {
    count = view().substr(at, count).size();
    if (held_.overlaps(text)) return put(at, count, string(text).view());
    traits_type::copy(held_.make_room(at, count, text.size()), text.data(), text.size());
    return *this;
  }

  [[nodiscard]] static string joined(std::string_view left, std::string_view right) {
    string made;
    made.reserve(left.size() + right.size());
    made.append(left).append(right);
    return made;
  }

  detail::string_storage held_;
};

}  // namespace lockfast

#endif
