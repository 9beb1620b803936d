// string_storage.hpp - where the characters of a string are: a block of memory for secrets, filled from its start. Included by
// string.hpp.
//
//    text_ -->  | canary | hunter2 \0 \0 . . . \0 | canary |
//                         |-size-|
//                         |------ capacity ------|
//
// Invariants
//   1. text_ is nullptr, and size and capacity are 0, or text_ is a secret of capacity + 1 bytes.
//   2. size <= capacity, and each byte of text_ from size on is 0: what is taken away is wiped at once.
//
// Threads: as std::string.
#ifndef LOCKFAST_DETAIL_STRING_STORAGE_HPP
#define LOCKFAST_DETAIL_STRING_STORAGE_HPP

#include <lockfast/allocator.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

namespace lockfast::detail {

// Errors: std::bad_alloc, where lockfast_malloc refuses; it leaves everything as it was.
class string_storage {
 public:
  static constexpr std::size_t max_size = std::string_view::npos / 2 - 1;

  string_storage() = default;
  string_storage(const string_storage&) = delete;
  string_storage& operator=(const string_storage&) = delete;
  ~string_storage() { lockfast_free(text_); }

  void swap(string_storage& other) noexcept {
    std::swap(text_, other.text_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] const char* data() const noexcept { return text_ == nullptr ? &none_ : text_; }
  [[nodiscard]] char* data() noexcept { return text_ == nullptr ? &none_ : text_; }

  // Whether a change of this text would change the other.
  [[nodiscard]] bool overlaps(std::string_view other) const noexcept {
    return text_ != nullptr && std::less_equal<>()(text_, other.data()) && std::less_equal<>()(other.data(), text_ + size_);
  }

  // Makes room for more characters in the place of count at `at`, and returns that place, for its caller to write. Requires
  // at + count <= size().
  char* make_room(std::size_t at, std::size_t count, std::size_t more) {
    const std::size_t kept = size_ - count;
    const std::size_t tail = kept - at;
    if (more > max_size - kept) refuse_allocation();
    if (kept + more > capacity_) {
      string_storage grown;
      grown.take_room(std::max(kept + more, std::min(2 * capacity_, max_size)));
      traits::move(grown.text_, text_, at);
      traits::move(grown.text_ + at + more, text_ + at + count, tail);
      swap(grown);
    } else if (more != count) {
      traits::move(text_ + at + more, text_ + at + count, tail);
      if (more < count) lockfast_wipe(text_ + kept + more, count - more);
    }
    size_ = kept + more;
    return text_ + at;
  }

  void reserve(std::size_t count) {
    if (count > capacity_) move_to(count);
  }
  void shrink() {
    if (capacity_ > std::max(size_, min_capacity)) move_to(size_);
  }

 private:
  using traits = std::char_traits<char>;
  static constexpr std::size_t min_capacity = 31;

  void move_to(std::size_t capacity) {
    string_storage moved;
    moved.take_room(capacity);
    traits::copy(moved.text_, data(), size_);
    moved.size_ = size_;
    swap(moved);
  }

  // Requires that there is no room yet.
  void take_room(std::size_t capacity) {
    if (capacity > max_size) refuse_allocation();
    capacity = std::max(capacity, min_capacity);
    text_ = static_cast<char*>(allocate(capacity + 1, alignof(char)));
    capacity_ = capacity;
  }

  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  char none_ = '\0';  // where an empty text without room ends
};

}  // namespace lockfast::detail

#endif
