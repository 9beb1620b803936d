// consume.h - the last use of a buffer: it is opened once, and closed as it is released.
//
//    a view, then the end of the buffer:   open | close | open to be wiped | close
//    consume():                            open |         wiped            | close
//
// Threads: as a buffer that is moved from.
#ifndef LOCKFAST_BOOJUM_MEMORY_CONSUME_H
#define LOCKFAST_BOOJUM_MEMORY_CONSUME_H

#include <lockfast/secret.hpp>

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <utility>

namespace lockfast::detail {

// What may take the cell of a buffer.
struct consumer {
  // Calls use(std::span<const std::byte>), which gives an expected of memory_error. When it succeeds the secret is wiped and released,
  // before this returns; otherwise the buffer is as it was. Refuses: wiped; unavailable; busy - there are views.
  template <class Use>
  static auto consume(buffer<std::byte>&& secret, Use&& use) -> std::invoke_result_t<Use, std::span<const std::byte>> {
    auto held = hold<cell::use::writing>::try_acquire(secret.cell_.get());
    if (!held) return std::unexpected(held.error());
    auto done = std::forward<Use>(use)(std::span<const std::byte>(held->bytes(), held->size()));
    if (done) {
      const std::unique_ptr<cell> gone = std::move(secret.cell_);
      held->end_before_release();
    }
    return done;
  }
};

}  // namespace lockfast::detail

namespace lockfast::internal {

template <class Use>
auto consume(buffer<std::byte>&& secret, Use&& use) {
  return detail::consumer::consume(std::move(secret), std::forward<Use>(use));
}

}  // namespace lockfast::internal

#endif
