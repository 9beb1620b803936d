// cell.hpp - one isolated secret, its bytes and the count of its views: what boxed and buffer own.
//
//    state:    closed  --first reader-->  1 .. n readers  --last reader goes-->  closed
//              closed  --writer-------->  writer          --writer goes------->  closed
//
// Invariants
//   1. Nobody can touch the bytes while the state is closed.
//   2. A view is counted from before it can touch the bytes until after it no longer does.
//   3. Only the holder of the mutex changes access; the state says `changing` while the last view goes.
//
// Threads: any number may open and close one cell. Not part of the interface: boxed and buffer are.
#ifndef LOCKFAST_DETAIL_CELL_HPP
#define LOCKFAST_DETAIL_CELL_HPP

#include <lockfast/lockfast.h>
#include <lockfast/memory_error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <utility>

namespace lockfast::detail {

class cell {
 public:
  enum class use : unsigned char { reading, writing };

  // A cell that its caller is still filling: open for writing, and not counted. close() puts it to rest.
  [[nodiscard]] static std::expected<std::unique_ptr<cell>, memory_error> make(std::size_t size) {
    if (size == 0) return std::unexpected(memory_error::zero_size);
    auto* const bytes = static_cast<std::byte*>(lockfast_malloc_isolated(size));
    if (bytes == nullptr) return std::unexpected(memory_error::refused);
    std::unique_ptr<cell> made(new (std::nothrow) cell(bytes, size));
    if (made == nullptr) {
      lockfast_free(bytes);
      return std::unexpected(memory_error::refused);
    }
    return made;
  }

  cell(const cell&) = delete;
  cell& operator=(const cell&) = delete;

  // A forked child may find the state of a thread that it does not have; that is no misuse where the secret is not there.
  ~cell() {
    if (state_.load(std::memory_order_acquire) != closed && lockfast_size(bytes_) == size_) {
      lockfast_breach(LOCKFAST_STILL_OPEN);
    }
    lockfast_free(bytes_);
  }

  [[nodiscard]] std::byte* bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // Ends the filling. A refusal leaves a cell that may only be destroyed.
  [[nodiscard]] std::expected<void, memory_error> close() {
    if (lockfast_protect(bytes_, LOCKFAST_NOACCESS) != 0) return std::unexpected(memory_error::refused);
    return {};
  }

  // Ends the filling with a first reader counted in. A refusal leaves a cell that may only be destroyed.
  [[nodiscard]] std::expected<void, memory_error> close_but_for_reader() {
    if (lockfast_protect(bytes_, LOCKFAST_READONLY) != 0) return std::unexpected(memory_error::refused);
    state_.store(1, std::memory_order_release);
    return {};
  }

  // Counts a view in. Refusals: busy - a writer beside others; unavailable - the secret is not in this process, or the system
  // does not open it.
  [[nodiscard]] std::expected<void, memory_error> open(use wanted) {
    if (wanted == use::reading && join_readers()) return {};
    const std::scoped_lock held(exclusion_);
    const std::uint32_t before = state_.load(std::memory_order_relaxed);
    // The last reader needs the mutex to go, so readers that are there now can still be joined.
    if (before != closed) {
      if (wanted == use::writing || !join_readers()) return std::unexpected(memory_error::busy);
      return {};
    }
    if (lockfast_protect(bytes_, wanted == use::writing ? LOCKFAST_READWRITE : LOCKFAST_READONLY) != 0) {
      return std::unexpected(memory_error::unavailable);
    }
    state_.store(wanted == use::writing ? writer : 1, std::memory_order_release);
    return {};
  }

  // Counts a view out; the last one takes the access away.
  void leave() {
    std::uint32_t now = state_.load(std::memory_order_relaxed);
    while (now > 1 && now < writer) {
      if (state_.compare_exchange_weak(now, now - 1, std::memory_order_release, std::memory_order_relaxed)) return;
    }
    const std::scoped_lock held(exclusion_);
    for (;;) {
      now = state_.load(std::memory_order_relaxed);
      const bool last = now == 1 || now == writer;
      if (state_.compare_exchange_weak(now, last ? changing : now - 1, std::memory_order_acq_rel)) {
        if (!last) return;
        break;
      }
    }
    if (lockfast_protect(bytes_, LOCKFAST_NOACCESS) != 0) lockfast_breach(LOCKFAST_ACCESS_REFUSED);
    state_.store(closed, std::memory_order_release);
  }

 private:
  static constexpr std::uint32_t closed = 0;
  static constexpr std::uint32_t writer = 0x8000'0000;
  static constexpr std::uint32_t changing = 0x8000'0001;

  cell(std::byte* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  // Joins readers that are there already: no change of access, no mutex.
  bool join_readers() {
    std::uint32_t now = state_.load(std::memory_order_relaxed);
    while (now >= 1 && now < writer - 1) {
      if (state_.compare_exchange_weak(now, now + 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  std::byte* bytes_;
  std::size_t size_;
  std::atomic<std::uint32_t> state_{closed};
  std::mutex exclusion_;
};

// A counted view of a cell: moved, never copied; the last one to go closes the secret.
template <cell::use Use>
class hold {
 public:
  [[nodiscard]] static std::expected<hold, memory_error> attempt(cell* of) {
    if (of == nullptr) return std::unexpected(memory_error::wiped);
    if (const auto opened = of->open(Use); !opened) return std::unexpected(opened.error());
    return hold(of);
  }

  // The first reader, whom the end of the filling has counted in already.
  [[nodiscard]] static hold first(cell* of) { return hold(of); }

  // The same for a caller who was promised access: a refusal is a breach.
  [[nodiscard]] static hold insist(cell* of) {
    auto opened = attempt(of);
    if (!opened) {
      lockfast_breach(opened.error() == memory_error::wiped  ? LOCKFAST_EMPTY_HANDLE
                      : opened.error() == memory_error::busy ? LOCKFAST_ACCESS_CONFLICT
                                                             : LOCKFAST_ACCESS_REFUSED);
    }
    return std::move(*opened);
  }

  hold(hold&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  hold& operator=(hold&& other) noexcept {
    if (this != &other) {
      if (of_ != nullptr) of_->leave();
      of_ = std::exchange(other.of_, nullptr);
    }
    return *this;
  }
  hold(const hold&) = delete;
  hold& operator=(const hold&) = delete;
  ~hold() {
    if (of_ != nullptr) of_->leave();
  }

  [[nodiscard]] std::byte* bytes() const { return of_ == nullptr ? nullptr : of_->bytes(); }
  [[nodiscard]] std::size_t size() const { return of_ == nullptr ? 0 : of_->size(); }

 private:
  explicit hold(cell* of) : of_(of) {}

  cell* of_;
};

}  // namespace lockfast::detail

#endif
