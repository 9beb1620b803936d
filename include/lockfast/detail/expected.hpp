// expected.hpp - expected<T, E>: a value, or the reason why there is none. std::expected where the standard library has it, from C++23
// on, and a class of our own in C++20.
//
// The names expected, unexpected and bad_expected_access mean one or the other. Our expected has the constructors, has_value, bool, *,
// ->, value, value_or and error. It lacks the comparisons and and_then, or_else and transform.
//
// A program may have files of both standards. In each of them the same function returns another type, so its symbol must be another
// one. Therefore everything that is built on expected stands between LOCKFAST_EXPECTED_BEGIN and LOCKFAST_EXPECTED_END, which open and
// close an inline namespace in C++20. Inside namespace detail, write them inside its braces. Around the braces they would make a second
// namespace detail, which would hide the first.
#ifndef LOCKFAST_DETAIL_EXPECTED_HPP
#define LOCKFAST_DETAIL_EXPECTED_HPP

#include <lockfast/detail/cxx20.hpp>

#include <version>

#if defined(__cpp_lib_expected)

#include <expected>

#define LOCKFAST_EXPECTED_BEGIN
#define LOCKFAST_EXPECTED_END

namespace lockfast {
using std::bad_expected_access;
using std::expected;
using std::unexpected;
}  // namespace lockfast

#else

#include <cstdlib>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

#define LOCKFAST_EXPECTED_BEGIN inline namespace cxx20 {
#define LOCKFAST_EXPECTED_END }

namespace lockfast {
LOCKFAST_EXPECTED_BEGIN

template <class E>
class unexpected {
 public:
  constexpr explicit unexpected(E error) : error_(std::move(error)) {}
  [[nodiscard]] constexpr const E& error() const { return error_; }

 private:
  E error_;
};

template <class E>
class bad_expected_access;

// What value() throws, whatever E is.
template <>
class bad_expected_access<void> : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "lockfast::expected has no value"; }

 protected:
  bad_expected_access() = default;
};

// What value() throws.
template <class E>
class bad_expected_access : public bad_expected_access<void> {
 public:
  explicit bad_expected_access(E error) : error_(std::move(error)) {}
  [[nodiscard]] const E& error() const { return error_; }

  [[noreturn]] static void refuse([[maybe_unused]] const E& error) {
#if defined(__cpp_exceptions)
    throw bad_expected_access(error);
#else
    std::abort();
#endif
  }

 private:
  E error_;
};

template <class T, class E>
class expected {
 public:
  using value_type = T;
  using error_type = E;

  template <class U = T>
    requires(std::is_constructible_v<T, U> && !std::is_same_v<std::remove_cvref_t<U>, expected>)
  constexpr explicit(!std::is_convertible_v<U, T>) expected(U&& value)
      : held_(std::in_place_index<0>, std::forward<U>(value)) {}
  constexpr expected(const unexpected<E>& refusal) : held_(std::in_place_index<1>, refusal.error()) {}

  [[nodiscard]] constexpr bool has_value() const { return held_.index() == 0; }
  constexpr explicit operator bool() const { return has_value(); }

  // Each requires has_value().
  [[nodiscard]] constexpr T& operator*() & { return *std::get_if<0>(&held_); }
  [[nodiscard]] constexpr const T& operator*() const& { return *std::get_if<0>(&held_); }
  [[nodiscard]] constexpr T&& operator*() && { return std::move(*std::get_if<0>(&held_)); }
  [[nodiscard]] constexpr T* operator->() { return std::get_if<0>(&held_); }
  [[nodiscard]] constexpr const T* operator->() const { return std::get_if<0>(&held_); }

  // Throws bad_expected_access, or aborts where exceptions are off.
  [[nodiscard]] constexpr T& value() & { return require_value(), **this; }
  [[nodiscard]] constexpr const T& value() const& { return require_value(), **this; }
  [[nodiscard]] constexpr T&& value() && { return require_value(), *std::move(*this); }

  template <class U>
  [[nodiscard]] constexpr T value_or(U&& otherwise) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(otherwise));
  }
  template <class U>
  [[nodiscard]] constexpr T value_or(U&& otherwise) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(otherwise));
  }

  // Requires !has_value().
  [[nodiscard]] constexpr const E& error() const { return *std::get_if<1>(&held_); }

 private:
  constexpr void require_value() const {
    if (!has_value()) bad_expected_access<E>::refuse(error());
  }

  std::variant<T, E> held_;
};

template <class E>
class expected<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  constexpr expected() = default;
  constexpr expected(const unexpected<E>& refusal) : held_(std::in_place_index<1>, refusal.error()) {}

  [[nodiscard]] constexpr bool has_value() const { return held_.index() == 0; }
  constexpr explicit operator bool() const { return has_value(); }
  constexpr void operator*() const {}
  constexpr void value() const {
    if (!has_value()) bad_expected_access<E>::refuse(error());
  }
  [[nodiscard]] constexpr const E& error() const { return *std::get_if<1>(&held_); }

 private:
  std::variant<std::monostate, E> held_;
};

LOCKFAST_EXPECTED_END
}  // namespace lockfast

#endif

#endif
