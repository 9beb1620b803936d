// secret.hpp - buffer<T> and boxed<T>: secrets that nobody can touch but through a view, for as long as the view lives.
//
//    auto key = lockfast::buffer<std::byte>::random(32);        // a std::expected; in C++20 a lockfast::expected
//    { auto view = key->read(); use(view.data(), view.size()); }
//    key->read().data()[32];                                    // traps: the byte past the end
//
// Each owns an isolated secret (lockfast_malloc_isolated), which has no access while there is no view. read() and write() open it and
// return a view; the end of the last view closes it. There may be any number of readers, or one writer. A writer beside readers, or a
// reader beside a writer, is a breach for read() and write(), and memory_error::busy for try_read() and try_write(). To destroy a
// secret while there is a view of it is a breach. A buffer or boxed that was moved from is empty: read() and write() are a breach then,
// and the other functions give memory_error::wiped.
//
// Only copy() copies a secret. Nothing prints one. Only a view has iterators.
//
// Threads: views may be opened and closed by any number of threads; moving, assigning and destroying need the object alone.
#ifndef LOCKFAST_SECRET_HPP
#define LOCKFAST_SECRET_HPP

#include <lockfast/detail/cell.hpp>
#include <lockfast/detail/not_formatted.hpp>

#include <concepts>
#include <cstring>
#include <functional>
#include <iterator>
#include <limits>
#include <type_traits>

namespace lockfast {
LOCKFAST_EXPECTED_BEGIN

// What a secret can be made of: objects that are their bytes.
template <class T>
concept plain = std::is_trivially_copyable_v<T> && std::is_same_v<T, std::remove_cv_t<T>> && !std::is_pointer_v<T>;

// Those of which every pattern of bytes is a value, and equal values have equal bytes: they can be random, and compared.
template <class T>
concept any_bytes = plain<T> && std::has_unique_object_representations_v<T> && !std::is_same_v<T, bool>;

// The elements of a secret, as long as the view lives. A view that was moved from is empty.
template <class T, detail::cell::use Use>
class buffer_view {
  using element = std::conditional_t<Use == detail::cell::use::reading, const T, T>;

 public:
  // As the functions of std::span. No index is checked: the byte past the end traps.
  [[nodiscard]] element* data() const { return reinterpret_cast<element*>(held_.bytes()); }
  [[nodiscard]] std::size_t size() const { return held_.size() / sizeof(T); }
  [[nodiscard]] std::size_t size_bytes() const { return held_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] element* begin() const { return data(); }
  [[nodiscard]] element* end() const { return data() + size(); }
  [[nodiscard]] element& operator[](std::size_t at) const { return data()[at]; }
  [[nodiscard]] std::span<element> span() const { return {data(), size()}; }

  template <class Stream>
  friend Stream& operator<<(Stream&, const buffer_view&) = delete;

 private:
  template <plain U>
  friend class buffer;
  explicit buffer_view(detail::hold<Use>&& held) : held_(std::move(held)) {}

  detail::hold<Use> held_;
};

// The object, as long as the view lives. A view that was moved from must not be dereferenced.
template <class T, detail::cell::use Use>
class boxed_view {
  using element = std::conditional_t<Use == detail::cell::use::reading, const T, T>;

 public:
  // The object.
  [[nodiscard]] element& operator*() const { return *operator->(); }
  [[nodiscard]] element* operator->() const { return reinterpret_cast<element*>(held_.bytes()); }

  template <class Stream>
  friend Stream& operator<<(Stream&, const boxed_view&) = delete;

 private:
  template <plain U>
  friend class boxed;
  explicit boxed_view(detail::hold<Use>&& held) : held_(std::move(held)) {}

  detail::hold<Use> held_;
};

LOCKFAST_EXPECTED_END

namespace detail {

struct consumer;

LOCKFAST_EXPECTED_BEGIN

// Runs a filling function, which may give nothing, or an expected<void, memory_error>.
template <class Fill, class Argument>
expected<void, memory_error> run(Fill&& fill, Argument&& argument) {
  if constexpr (std::is_void_v<std::invoke_result_t<Fill, Argument>>) {
    std::forward<Fill>(fill)(std::forward<Argument>(argument));
    return {};
  } else {
    return std::forward<Fill>(fill)(std::forward<Argument>(argument));
  }
}

// What a function gives, in one expected: nothing or a value, or the expected that it is already.
template <class Result>
struct as_expected {
  using type = expected<Result, memory_error>;
};
template <class Value>
struct as_expected<expected<Value, memory_error>> {
  using type = expected<Value, memory_error>;
};

template <class Function, class Argument>
auto result_of(Function&& function, Argument argument) -> as_expected<std::invoke_result_t<Function, Argument>>::type {
  if constexpr (std::is_void_v<std::invoke_result_t<Function, Argument>>) {
    std::invoke(std::forward<Function>(function), argument);
    return {};
  } else {
    return std::invoke(std::forward<Function>(function), argument);
  }
}

// A closed cell of size bytes, filled by fill(bytes) while only its caller has it. Requires that alignment divides size.
template <class Fill>
expected<std::unique_ptr<cell>, memory_error> filled_cell(std::size_t size, std::size_t alignment, Fill&& fill) {
  auto made = cell::make(size, alignment);
  if (!made) return made;
  if (auto done = run(std::forward<Fill>(fill), (*made)->bytes()); !done) return unexpected(done.error());
  if (auto done = (*made)->close(); !done) return unexpected(done.error());
  return made;
}

// Bytes from the system's generator.
inline expected<void, memory_error> draw(void* bytes, std::size_t size) {
  if (lockfast_try_random(bytes, size) != 0) return unexpected(memory_error::denied);
  return {};
}

// Equal sizes and equal bytes; the time depends on the sizes alone.
inline bool equal(cell* left, cell* right) {
  const auto a = hold<cell::use::reading>::acquire(left);
  const auto b = hold<cell::use::reading>::acquire(right);
  return a.size() == b.size() && lockfast_equal(a.bytes(), b.bytes(), a.size()) != 0;
}

LOCKFAST_EXPECTED_END
}  // namespace detail

LOCKFAST_EXPECTED_BEGIN

// The elements of a secret; their number is fixed. Keep it for a short time only, since it is in one piece.
template <plain T>
class buffer {
 public:
  using read_view = buffer_view<T, detail::cell::use::reading>;   // elements that can be read
  using write_view = buffer_view<T, detail::cell::use::writing>;  // elements that can be read and written

  // count elements of zero bytes. Refuses: zero_size - no elements; limit_exceeded - a size that overflows; denied - no memory,
  // lock or access.
  [[nodiscard]] static expected<buffer, memory_error> zeroed(std::size_t count) {
    return filled(count, [](std::span<T> elements) { lockfast_wipe(elements.data(), elements.size_bytes()); });
  }

  // count elements from the system's generator. Refuses as zeroed does; denied, too, where the system gives no random bytes.
  [[nodiscard]] static expected<buffer, memory_error> random(std::size_t count)
    requires any_bytes<T>
  {
    return filled(count, [](std::span<T> elements) { return detail::draw(elements.data(), elements.size_bytes()); });
  }

  // The elements of source, which is wiped. A refusal leaves source as it was. Refuses as zeroed does.
  [[nodiscard]] static expected<buffer, memory_error> take(std::span<T> source) {
    auto made = filled(source.size(),
                       [&](std::span<T> elements) { std::memcpy(elements.data(), source.data(), elements.size_bytes()); });
    if (made) lockfast_wipe(source.data(), source.size_bytes());
    return made;
  }

  // count elements that fill(std::span<T>) writes in place; they are zero bytes before. fill gives nothing, or an
  // expected<void, memory_error>, whose error is passed on; then, and when it throws, what was filled is wiped. Refuses as
  // zeroed does.
  template <class Fill>
    requires std::invocable<Fill, std::span<T>>
  [[nodiscard]] static expected<buffer, memory_error> filled(std::size_t count, Fill&& fill) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) return unexpected(memory_error::limit_exceeded);
    auto made = detail::filled_cell(count * sizeof(T), alignof(T), [&](std::byte* bytes) {
      return detail::run(std::forward<Fill>(fill), std::span<T>(reinterpret_cast<T*>(bytes), count));
    });
    if (!made) return unexpected(made.error());
    return buffer(std::move(*made));
  }

  buffer(buffer&&) noexcept = default;
  buffer& operator=(buffer&&) noexcept = default;

  // The number of elements; 0 after a move from here.
  [[nodiscard]] std::size_t size() const { return cell_ == nullptr ? 0 : cell_->size() / sizeof(T); }
  // True after a move from here.
  [[nodiscard]] bool empty() const { return cell_ == nullptr; }

  // Opens the secret. Ends the process at a misuse, or if the system does not open it.
  [[nodiscard]] read_view read() const { return read_view(detail::hold<detail::cell::use::reading>::acquire(cell_.get())); }
  [[nodiscard]] write_view write() { return write_view(detail::hold<detail::cell::use::writing>::acquire(cell_.get())); }

  // Opens the secret. A misuse is refused. Refuses: busy; unavailable; wiped.
  [[nodiscard]] expected<read_view, memory_error> try_read() const {
    auto held = detail::hold<detail::cell::use::reading>::try_acquire(cell_.get());
    if (!held) return unexpected(held.error());
    return read_view(std::move(*held));
  }
  [[nodiscard]] expected<write_view, memory_error> try_write() {
    auto held = detail::hold<detail::cell::use::writing>::try_acquire(cell_.get());
    if (!held) return unexpected(held.error());
    return write_view(std::move(*held));
  }

  // Keeps the first count elements, in a new block of their size, and wipes the others. Refuses: limit_exceeded - there are fewer;
  // busy - there are views; and as filled does.
  [[nodiscard]] expected<void, memory_error> shorten(std::size_t count) {
    if (count > size()) return unexpected(memory_error::limit_exceeded);
    auto made = [&]() -> expected<buffer, memory_error> {
      auto from = try_write();  // refused while there are views, whose block goes
      if (!from) return unexpected(from.error());
      return filled(count, [&](std::span<T> elements) { std::memcpy(elements.data(), from->data(), elements.size_bytes()); });
    }();
    if (!made) return unexpected(made.error());
    cell_ = std::move(made->cell_);
    return {};
  }

  // Another secret of the same bytes. Refuses as try_read and filled do.
  [[nodiscard]] expected<buffer, memory_error> copy() const {
    auto from = try_read();
    if (!from) return unexpected(from.error());
    return filled(from->size(),
                  [&](std::span<T> elements) { std::memcpy(elements.data(), from->data(), elements.size_bytes()); });
  }

  // Equal sizes and equal bytes, in a time that depends on the sizes alone. Opens both for reading, as read() does.
  [[nodiscard]] friend bool operator==(const buffer& left, const buffer& right)
    requires any_bytes<T>
  {
    return detail::equal(left.cell_.get(), right.cell_.get());
  }

  template <class Stream>
  friend Stream& operator<<(Stream&, const buffer&) = delete;

 private:
  friend struct detail::consumer;
  explicit buffer(std::unique_ptr<detail::cell>&& made) : cell_(std::move(made)) {}

  std::unique_ptr<detail::cell> cell_;
};

// One object in an isolated secret, for as long as the program likes.
template <plain T>
class boxed {
 public:
  using read_view = boxed_view<T, detail::cell::use::reading>;   // an object that can be read
  using write_view = boxed_view<T, detail::cell::use::writing>;  // an object that can be read and written

  // An object of zero bytes. Refuses: denied - no memory, lock or access.
  [[nodiscard]] static expected<boxed, memory_error> zeroed() {
    return filled([](T& object) { lockfast_wipe(&object, sizeof object); });
  }

  // An object of bytes from the system's generator. Refuses as zeroed does; denied, too, where the system gives no random bytes.
  [[nodiscard]] static expected<boxed, memory_error> random()
    requires any_bytes<T>
  {
    return filled([](T& object) { return detail::draw(&object, sizeof object); });
  }

  // The value of source, which is wiped. A refusal leaves source as it was. Refuses as zeroed does.
  [[nodiscard]] static expected<boxed, memory_error> take(T& source) {
    auto made = filled([&](T& object) { std::memcpy(&object, &source, sizeof object); });
    if (made) lockfast_wipe(&source, sizeof source);
    return made;
  }

  // An object that fill(T&) writes in place; it is zero bytes before. fill gives nothing, or an expected<void,
  // memory_error>, whose error is passed on; then, and when it throws, what was filled is wiped. Refuses as zeroed does.
  template <class Fill>
    requires std::invocable<Fill, T&>
  [[nodiscard]] static expected<boxed, memory_error> filled(Fill&& fill) {
    auto made = detail::filled_cell(sizeof(T), alignof(T), [&](std::byte* bytes) {
      return detail::run(std::forward<Fill>(fill), *reinterpret_cast<T*>(bytes));
    });
    if (!made) return unexpected(made.error());
    return boxed(std::move(*made));
  }

  boxed(boxed&&) noexcept = default;
  boxed& operator=(boxed&&) noexcept = default;

  // True after a move from here.
  [[nodiscard]] bool empty() const { return cell_ == nullptr; }

  // Opens the secret. Ends the process at a misuse, or if the system does not open it.
  [[nodiscard]] read_view read() const { return read_view(detail::hold<detail::cell::use::reading>::acquire(cell_.get())); }
  [[nodiscard]] write_view write() { return write_view(detail::hold<detail::cell::use::writing>::acquire(cell_.get())); }

  // Opens the secret. A misuse is refused. Refuses: busy; unavailable; wiped.
  [[nodiscard]] expected<read_view, memory_error> try_read() const {
    auto held = detail::hold<detail::cell::use::reading>::try_acquire(cell_.get());
    if (!held) return unexpected(held.error());
    return read_view(std::move(*held));
  }
  [[nodiscard]] expected<write_view, memory_error> try_write() {
    auto held = detail::hold<detail::cell::use::writing>::try_acquire(cell_.get());
    if (!held) return unexpected(held.error());
    return write_view(std::move(*held));
  }

  // Another secret of the same value. Refuses as try_read and filled do.
  [[nodiscard]] expected<boxed, memory_error> copy() const {
    auto from = try_read();
    if (!from) return unexpected(from.error());
    return filled([&](T& object) { std::memcpy(&object, &**from, sizeof object); });
  }

  // Equal bytes, in constant time. Opens both for reading, as read() does.
  [[nodiscard]] friend bool operator==(const boxed& left, const boxed& right)
    requires any_bytes<T>
  {
    return detail::equal(left.cell_.get(), right.cell_.get());
  }

  // Prints "hidden", and never the object.
  template <class Stream>
    requires requires(Stream& out) { out << "hidden"; }
  friend Stream& operator<<(Stream& out, const boxed&) {
    out << "hidden";
    return out;
  }

 private:
  explicit boxed(std::unique_ptr<detail::cell>&& made) : cell_(std::move(made)) {}

  std::unique_ptr<detail::cell> cell_;
};

// A type that holds a secret of any length. A failed update leaves the old secret unchanged, in the object that was to be
// updated. After a wipe every use is memory_error::wiped.
template <class M>
concept locked_memory = std::movable<M> && !std::copyable<M> &&
                        requires(M held, const M& resting, buffer<std::byte> secret, typename M::options options) {
                          { M::create(std::move(secret)) } -> std::same_as<expected<M, memory_error>>;
                          { M::create(std::move(secret), options) } -> std::same_as<expected<M, memory_error>>;
                          { std::move(held).update(std::move(secret)) } -> std::same_as<expected<M, memory_error>>;
                          { resting.unlock() } -> std::same_as<expected<buffer<std::byte>, memory_error>>;
                          { resting.copy() } -> std::same_as<expected<M, memory_error>>;
                          { held.wipe() } -> std::same_as<expected<void, memory_error>>;
                        };

LOCKFAST_EXPECTED_END
}  // namespace lockfast

#if defined(__cpp_lib_format_ranges)
template <class T, lockfast::detail::cell::use Use>
inline constexpr std::range_format std::format_kind<lockfast::buffer_view<T, Use>> = std::range_format::disabled;
#endif

#endif
