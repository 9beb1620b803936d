// string.hpp - string: text whose characters, few or many, lie in memory for secrets and never in the object itself. Included by
// allocator.hpp.
//
//    std::string         | pointer | size | hunter2 \0 . . . |      up to 15 characters, or 22, lie in the object
//    lockfast::string    | pointer | size | capacity         |
//                             \--> | canary | hunter2 \0 . . . | canary |
//
// A std::basic_string with an allocator of ours keeps short text as std::string does, and makes temporaries that do, on a stack that
// nobody wipes. This class has its functions, but neither >> nor getline, whose streams keep a copy: secret_input.hpp reads without
// one. What << gives to a stream stays in that stream's buffer.
//
// A function takes text as std::string_view, to which a string converts. The time of == depends on the text: where an attacker can
// measure it, compare with lockfast_equal.
//
// Invariants
//   1. text_ is nullptr, and the string empty, or text_ is a secret of capacity_ + 1 bytes.
//   2. size_ <= capacity_, and each byte of text_ from size_ on is 0: what is erased is wiped at once.
//
// Threads: as std::string.
#ifndef LOCKFAST_DETAIL_STRING_HPP
#define LOCKFAST_DETAIL_STRING_HPP

#include <lockfast/allocator.hpp>

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

namespace lockfast {

namespace detail {

template <class T>
concept text = std::convertible_to<const T&, std::string_view>;

// An iterator of a string. What converts to one is none: a literal 0 is an index.
template <class T>
concept text_iterator = std::same_as<T, char*> || std::same_as<T, const char*>;

}  // namespace detail

// Text in memory for secrets, with the functions of std::string. Errors: std::bad_alloc, where lockfast_malloc refuses;
// std::out_of_range. Both leave the string as it was.
class string {
 public:
  // As of every container of characters.
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

  // No index: not found; as a count, all that there are.
  static constexpr size_type npos = std::string_view::npos;

  // A copy of what is given. Without anything, and once it was moved away, a string is empty and owns no memory.
  string() noexcept = default;
  explicit string(const allocator_type&) noexcept {}
  string(const string& other) : string(other.view()) {}
  string(string&& other) noexcept { swap(other); }
  string(const char* text) : string(std::string_view(text)) {}
  string(const char* text, size_type count) : string(std::string_view(text, count)) {}
  explicit string(std::string_view text) { append(text); }
  string(std::string_view text, size_type from, size_type count = npos) : string(text.substr(from, count)) {}
  string(size_type count, char character) { append(count, character); }
  string(std::initializer_list<char> characters) { append(characters); }
  template <std::input_iterator Iterator>
  string(Iterator first, Iterator last) {
    append(first, last);
  }
  ~string() { lockfast_free(text_); }

  // Replace the text.
  string& operator=(const string& other) { return assign(other); }
  string& operator=(string&& other) noexcept {
    string(std::move(other)).swap(*this);
    return *this;
  }
  string& operator=(std::string_view text) { return assign(text); }
  string& operator=(const char* text) { return assign(text); }
  string& operator=(std::initializer_list<char> characters) { return assign(characters); }
  string& operator=(char character) { return assign(1, character); }

  // Neither copies a character.
  void swap(string& other) noexcept {
    std::swap(text_, other.text_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  friend void swap(string& left, string& right) noexcept { left.swap(right); }

  // The characters, and a 0 after them; valid until the string changes.
  operator std::string_view() const noexcept { return view(); }
  [[nodiscard]] const char* c_str() const noexcept { return data(); }
  [[nodiscard]] const char* data() const noexcept { return text_ == nullptr ? &none_ : text_; }
  [[nodiscard]] char* data() noexcept { return text_ == nullptr ? &none_ : text_; }
  [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }

  // In characters, without the 0 at the end.
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] size_type size() const noexcept { return size_; }
  [[nodiscard]] size_type length() const noexcept { return size_; }
  [[nodiscard]] size_type capacity() const noexcept { return capacity_; }
  [[nodiscard]] static constexpr size_type max_size() noexcept { return npos / 2 - 1; }

  // One character. at throws std::out_of_range from size() on; the others require that it is there.
  [[nodiscard]] const char& operator[](size_type at) const noexcept { return data()[at]; }
  [[nodiscard]] char& operator[](size_type at) noexcept { return data()[at]; }
  [[nodiscard]] const char& at(size_type at) const { return view().at(at); }
  [[nodiscard]] char& at(size_type at) { return const_cast<char&>(view().at(at)); }
  [[nodiscard]] const char& front() const noexcept { return data()[0]; }
  [[nodiscard]] char& front() noexcept { return data()[0]; }
  [[nodiscard]] const char& back() const noexcept { return data()[size_ - 1]; }
  [[nodiscard]] char& back() noexcept { return data()[size_ - 1]; }

  // Iterators, valid until the string changes.
  [[nodiscard]] const_iterator begin() const noexcept { return data(); }
  [[nodiscard]] const_iterator end() const noexcept { return data() + size_; }
  [[nodiscard]] iterator begin() noexcept { return data(); }
  [[nodiscard]] iterator end() noexcept { return data() + size_; }
  [[nodiscard]] const_iterator cbegin() const noexcept { return begin(); }
  [[nodiscard]] const_iterator cend() const noexcept { return end(); }
  [[nodiscard]] const_reverse_iterator rbegin() const noexcept { return const_reverse_iterator(end()); }
  [[nodiscard]] const_reverse_iterator rend() const noexcept { return const_reverse_iterator(begin()); }
  [[nodiscard]] reverse_iterator rbegin() noexcept { return reverse_iterator(end()); }
  [[nodiscard]] reverse_iterator rend() noexcept { return reverse_iterator(begin()); }
  [[nodiscard]] const_reverse_iterator crbegin() const noexcept { return rbegin(); }
  [[nodiscard]] const_reverse_iterator crend() const noexcept { return rend(); }

  // Put text, which may be a part of the string itself, in the place of count characters, or of those between two iterators.
  string& replace(size_type at, size_type count, std::string_view text) {
    count = view().substr(at, count).size();
    if (holds(text)) return replace(at, count, string(text).view());
    traits_type::copy(make_room(at, count, text.size()), text.data(), text.size());
    return *this;
  }
  string& replace(size_type at, size_type count, size_type times, char character) {
    count = view().substr(at, count).size();
    traits_type::assign(make_room(at, count, times), times, character);
    return *this;
  }
  string& replace(size_type at, size_type count, const char* text, size_type length) {
    return replace(at, count, std::string_view(text, length));
  }
  string& replace(size_type at, size_type count, std::string_view text, size_type from, size_type length = npos) {
    return replace(at, count, text.substr(from, length));
  }
  string& replace(detail::text_iterator auto first, detail::text_iterator auto last, std::string_view text) {
    return replace(index(first), index(last) - index(first), text);
  }

  // Replace the text.
  string& assign(std::string_view text) { return replace(0, npos, text); }
  string& assign(size_type times, char character) { return replace(0, npos, times, character); }
  string& assign(const char* text, size_type length) { return assign(std::string_view(text, length)); }
  string& assign(std::string_view text, size_type from, size_type length = npos) { return assign(text.substr(from, length)); }
  string& assign(std::initializer_list<char> characters) { return assign(characters.begin(), characters.end()); }
  template <std::input_iterator Iterator>
  string& assign(Iterator first, Iterator last) {
    return assign(collected(first, last));
  }

  // Put text at the end.
  string& append(std::string_view text) { return replace(size_, 0, text); }
  string& append(size_type times, char character) { return replace(size_, 0, times, character); }
  string& append(const char* text, size_type length) { return append(std::string_view(text, length)); }
  string& append(std::string_view text, size_type from, size_type length = npos) { return append(text.substr(from, length)); }
  string& append(std::initializer_list<char> characters) { return append(characters.begin(), characters.end()); }
  template <std::input_iterator Iterator>
  string& append(Iterator first, Iterator last) {
    return append(collected(first, last));
  }
  string& operator+=(std::string_view text) { return append(text); }
  string& operator+=(char character) { return append(1, character); }
  string& operator+=(std::initializer_list<char> characters) { return append(characters); }
  void push_back(char character) { append(1, character); }

  // Put text before a character. What returns an iterator returns that of the first character that is new.
  string& insert(size_type at, std::string_view text) { return replace(at, 0, text); }
  string& insert(size_type at, size_type times, char character) { return replace(at, 0, times, character); }
  string& insert(size_type at, const char* text, size_type length) { return insert(at, std::string_view(text, length)); }
  string& insert(size_type at, std::string_view text, size_type from, size_type length = npos) {
    return insert(at, text.substr(from, length));
  }
  iterator insert(detail::text_iterator auto at, char character) { return insert(at, size_type{1}, character); }
  iterator insert(detail::text_iterator auto at, size_type times, char character) {
    const size_type index = this->index(at);
    insert(index, times, character);
    return begin() + index;
  }
  template <std::input_iterator Iterator>
  iterator insert(detail::text_iterator auto at, Iterator first, Iterator last) {
    const size_type index = this->index(at);
    insert(index, collected(first, last));
    return begin() + index;
  }

  // Take characters away, and wipe them.
  string& erase(size_type at = 0, size_type count = npos) { return replace(at, count, std::string_view()); }
  iterator erase(detail::text_iterator auto at) { return erase(at, at + 1); }
  iterator erase(detail::text_iterator auto first, detail::text_iterator auto last) {
    const size_type index = this->index(first);
    erase(index, this->index(last) - index);
    return begin() + index;
  }
  void pop_back() { erase(size_ - 1); }
  void clear() noexcept { erase(); }

  // Change how many characters there are, or for how many there is room. What is moved is wiped where it was.
  void resize(size_type count, char character = '\0') {
    if (count > size_) {
      append(count - size_, character);
    } else {
      erase(count);
    }
  }
  void reserve(size_type count) {
    if (count > capacity_) move_to(count);
  }
  void shrink_to_fit() {
    if (capacity_ > std::max(size_, min_capacity)) move_to(size_);
  }

  // Copies of count characters, or of fewer where the string ends before.
  [[nodiscard]] string substr(size_type from = 0, size_type count = npos) const { return string(*this, from, count); }
  size_type copy(char* to, size_type count, size_type from = 0) const { return view().copy(to, count, from); }

  // The index of what is found, or npos.
  [[nodiscard]] size_type find(std::string_view what, size_type from = 0) const noexcept { return view().find(what, from); }
  [[nodiscard]] size_type find(char what, size_type from = 0) const noexcept { return view().find(what, from); }
  [[nodiscard]] size_type rfind(std::string_view what, size_type from = npos) const noexcept {
    return view().rfind(what, from);
  }
  [[nodiscard]] size_type rfind(char what, size_type from = npos) const noexcept { return view().rfind(what, from); }
  [[nodiscard]] size_type find_first_of(std::string_view any, size_type from = 0) const noexcept {
    return view().find_first_of(any, from);
  }
  [[nodiscard]] size_type find_first_not_of(std::string_view any, size_type from = 0) const noexcept {
    return view().find_first_not_of(any, from);
  }
  [[nodiscard]] size_type find_last_of(std::string_view any, size_type from = npos) const noexcept {
    return view().find_last_of(any, from);
  }
  [[nodiscard]] size_type find_last_not_of(std::string_view any, size_type from = npos) const noexcept {
    return view().find_last_not_of(any, from);
  }

  // Comparisons of a part; compare returns as memcmp does.
  [[nodiscard]] bool contains(std::string_view what) const noexcept { return find(what) != npos; }
  [[nodiscard]] bool contains(char what) const noexcept { return find(what) != npos; }
  [[nodiscard]] bool starts_with(std::string_view what) const noexcept { return view().starts_with(what); }
  [[nodiscard]] bool starts_with(char what) const noexcept { return view().starts_with(what); }
  [[nodiscard]] bool ends_with(std::string_view what) const noexcept { return view().ends_with(what); }
  [[nodiscard]] bool ends_with(char what) const noexcept { return view().ends_with(what); }
  [[nodiscard]] int compare(std::string_view other) const noexcept { return view().compare(other); }
  [[nodiscard]] int compare(size_type at, size_type count, std::string_view other) const {
    return view().substr(at, count).compare(other);
  }

  // Compare with what converts to std::string_view, in a time that depends on both.
  template <detail::text Text>
  [[nodiscard]] friend bool operator==(const string& left, const Text& right) noexcept {
    return left.view() == std::string_view(right);
  }
  template <detail::text Text>
  [[nodiscard]] friend auto operator<=>(const string& left, const Text& right) noexcept {
    return left.view() <=> std::string_view(right);
  }

  // Both texts in a string.
  template <detail::text Text>
  [[nodiscard]] friend string operator+(string left, const Text& right) {
    left.append(right);
    return left;
  }
  template <detail::text Text>
    requires(!std::same_as<Text, string>)
  [[nodiscard]] friend string operator+(const Text& left, string right) {
    right.insert(0, left);
    return right;
  }
  [[nodiscard]] friend string operator+(string left, char right) {
    left.push_back(right);
    return left;
  }
  [[nodiscard]] friend string operator+(char left, string right) {
    right.insert(0, 1, left);
    return right;
  }

  // Gives the text to a stream, whose buffer keeps it.
  template <class Stream>
    requires requires(Stream& out, std::string_view text) { out << text; }
  friend Stream& operator<<(Stream& out, const string& text) {
    out << text.view();
    return out;
  }

 private:
  static constexpr size_type min_capacity = 31;

  [[nodiscard]] std::string_view view() const noexcept { return {data(), size_}; }
  [[nodiscard]] size_type index(const char* at) const noexcept { return static_cast<size_type>(at - data()); }
  [[nodiscard]] bool holds(std::string_view text) const noexcept {
    return text_ != nullptr && std::less_equal<>()(text_, text.data()) && std::less_equal<>()(text.data(), text_ + size_);
  }

  // What two iterators enclose: a view, or a string where they are not of characters in a row.
  template <class Iterator>
  static auto collected(Iterator first, Iterator last) {
    if constexpr (std::contiguous_iterator<Iterator> && std::same_as<std::iter_value_t<Iterator>, char>) {
      return std::string_view(std::to_address(first), static_cast<size_type>(last - first));
    } else {
      string made;
      for (; first != last; ++first) made.push_back(static_cast<char>(*first));
      return made;
    }
  }

  void move_to(size_type capacity) {
    string moved;
    moved.take_room(capacity);
    moved.append(*this);
    swap(moved);
  }

  // Requires an empty string without room.
  void take_room(size_type capacity) {
    if (capacity > max_size()) detail::refuse_allocation();
    capacity = std::max(capacity, min_capacity);
    text_ = static_cast<char*>(detail::allocate(capacity + 1, alignof(char)));
    capacity_ = capacity;
  }

  // Makes room for more characters in the place of count at `at`, and returns that place, for its caller to write.
  char* make_room(size_type at, size_type count, size_type more) {
    const size_type kept = size_ - count;
    const size_type tail = kept - at;
    if (more > max_size() - kept) detail::refuse_allocation();
    if (kept + more > capacity_) {
      string grown;
      grown.take_room(std::max(kept + more, std::min(2 * capacity_, max_size())));
      traits_type::move(grown.text_, text_, at);
      traits_type::move(grown.text_ + at + more, text_ + at + count, tail);
      swap(grown);
    } else if (more != count) {
      traits_type::move(text_ + at + more, text_ + at + count, tail);
      if (more < count) lockfast_wipe(text_ + kept + more, count - more);
    }
    size_ = kept + more;
    return text_ + at;
  }

  char* text_ = nullptr;
  size_type size_ = 0;
  size_type capacity_ = 0;
  char none_ = '\0';  // where an empty string without room ends
};

}  // namespace lockfast

#endif
