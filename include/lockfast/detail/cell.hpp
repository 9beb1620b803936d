// cell.hpp - one isolated secret, its bytes and the count of its views: what boxed and buffer own.
//
//    views:    closed  --first reader-->  1 .. n readers  --last reader goes-->  closed
//              closed  --writer-------->  writer          --writer goes------->  closed
//
// Invariants
//   1. Nobody can touch the bytes while the cell is closed.
//   2. A view is counted from before it can touch the bytes until after it no longer does.
//   3. Whoever makes the count `changing` is the only one who changes access, until he makes it another; the others yield.
//   4. A count is of one process. The first to open a cell in a forked child begins a new one: views from before the fork are
//      not counted any more. There is no mutex that a thread could hold which the child does not have.
//
// Threads: any number may open and close one cell. Not part of the interface: boxed and buffer are.
#ifndef LOCKFAST_DETAIL_CELL_HPP
#define LOCKFAST_DETAIL_CELL_HPP

#include <lockfast/detail/expected.hpp>
#include <lockfast/lockfast.h>
#include <lockfast/memory_error.hpp>

#if __has_include(<sys/wait.h>)
#define LOCKFAST_HAS_FORK 1
#include <pthread.h>
#include <unistd.h>
#else
#define LOCKFAST_HAS_FORK 0
#endif

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <thread>
#include <utility>

namespace lockfast::detail {

// This process's number, kept so that no view costs a call of the system. Each library that has this header may have its own:
// the numbers are the same in all.
#if LOCKFAST_HAS_FORK
inline std::atomic<std::uint32_t> process_number = 0;

// A child that is the first of its PID namespace may have its parent's number: then it takes another.
inline void note_process() {
  const auto id = static_cast<std::uint32_t>(getpid());
  const bool taken = process_number.load(std::memory_order_relaxed) == id;
  process_number.store(taken ? id | 0x8000'0000 : id, std::memory_order_relaxed);
}

inline const bool process_is_watched = [] {
  note_process();
  return pthread_atfork(nullptr, nullptr, note_process) == 0;
}();
#else
// Where no process has a copy of another's memory, one number does for all.
inline constexpr std::atomic<std::uint32_t> process_number = 1;
#endif

LOCKFAST_EXPECTED_BEGIN

class cell {
 public:
  enum class use : unsigned char { reading, writing };

  // A cell that its caller is still filling: open for writing, and not counted. close() puts it to rest. Requires that alignment
  // divides size.
  [[nodiscard]] static expected<std::unique_ptr<cell>, memory_error> make(std::size_t size, std::size_t alignment = 1) {
    if (size == 0) return unexpected(memory_error::zero_size);
    auto* const bytes = static_cast<std::byte*>(alignment <= min_page ? lockfast_malloc_isolated(size)
                                                                      : lockfast_aligned_alloc(alignment, size));
    if (bytes == nullptr) return unexpected(memory_error::denied);
    std::unique_ptr<cell> made(new (std::nothrow) cell(bytes, size));
    if (made == nullptr) {
      lockfast_free(bytes);
      return unexpected(memory_error::denied);
    }
    return made;
  }

  cell(const cell&) = delete;
  cell& operator=(const cell&) = delete;

  // What is counted from before a fork may be of threads that the child does not have.
  ~cell() {
    if (views_here(state_.load(std::memory_order_acquire)) != closed) lockfast_breach(LOCKFAST_STILL_OPEN);
    lockfast_free(bytes_);
  }

  [[nodiscard]] std::byte* bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // Ends the filling. A refusal leaves a cell that may only be destroyed.
  [[nodiscard]] expected<void, memory_error> close() {
    if (lockfast_protect(bytes_, LOCKFAST_NOACCESS) != 0) return unexpected(memory_error::denied);
    return {};
  }

  // Ends the filling with a first reader counted in. A refusal leaves a cell that may only be destroyed.
  [[nodiscard]] expected<void, memory_error> close_but_for_reader() {
    if (lockfast_protect(bytes_, LOCKFAST_READONLY) != 0) return unexpected(memory_error::denied);
    state_.store(counted(1), std::memory_order_release);
    return {};
  }

  // Counts a view in. Refusals: busy - a writer beside others; unavailable - the secret is not in this process, or the system
  // does not open it.
  [[nodiscard]] expected<void, memory_error> open(use wanted) {
    std::uint64_t now = state_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint32_t views = views_here(now);
      if (views == changing) {
        std::this_thread::yield();
        now = state_.load(std::memory_order_relaxed);
      } else if (views == closed) {
        if (take(now)) break;
      } else if (wanted == use::writing || views >= writer - 1) {
        return unexpected(memory_error::busy);
      } else if (state_.compare_exchange_weak(now, now + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
        return {};
      }
    }
    const bool opened = lockfast_protect(bytes_, wanted == use::writing ? LOCKFAST_READWRITE : LOCKFAST_READONLY) == 0;
    state_.store(counted(!opened ? closed : wanted == use::writing ? writer : 1), std::memory_order_release);
    if (!opened) return unexpected(memory_error::unavailable);
    return {};
  }

  // The process of which a view that was just counted is.
  [[nodiscard]] static std::uint32_t here() { return process_number.load(std::memory_order_relaxed); }

  // Counts a view of that process out; the last one takes the access away. One from before a fork is not counted where another
  // count has begun; and where the secret stayed with the parent, there is no access to be taken away.
  void leave(std::uint32_t process) {
    std::uint64_t now = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (process_of(now) != process) return;
      const auto views = static_cast<std::uint32_t>(now);
      if (views == 1 || views == writer) {
        if (take(now)) break;
      } else if (state_.compare_exchange_weak(now, now - 1, std::memory_order_release, std::memory_order_relaxed)) {
        return;
      }
    }
    if (lockfast_protect(bytes_, LOCKFAST_NOACCESS) != 0 && lockfast_size(bytes_) == size_) {
      lockfast_breach(LOCKFAST_ACCESS_REFUSED);
    }
    state_.store(counted(closed), std::memory_order_release);
  }

  // Counts the last view out of a cell that its caller alone owns and destroys next. The access stays until then: to wipe the
  // bytes, the release would only open them again.
  void leave_before_release(std::uint32_t process) {
    std::uint64_t now = state_.load(std::memory_order_acquire);
    const auto views = static_cast<std::uint32_t>(now);
    const bool is_last = process_of(now) == process && (views == 1 || views == writer);
    if (!is_last || !state_.compare_exchange_strong(now, counted(closed), std::memory_order_acq_rel)) leave(process);
  }

 private:
  // An isolated secret ends where a page does, so its size's own alignment is its alignment, up to the smallest page of any system.
  // More is asked for by name; so much is never grouped.
  static constexpr std::size_t min_page = 4096;
  static constexpr std::uint32_t closed = 0;
  static constexpr std::uint32_t writer = 0x8000'0000;
  static constexpr std::uint32_t changing = 0x8000'0001;

  cell(std::byte* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  //    | process that counts: 32 | views: 32 |
  [[nodiscard]] static std::uint64_t counted(std::uint32_t views) { return std::uint64_t{here()} << 32 | views; }
  [[nodiscard]] static std::uint32_t process_of(std::uint64_t state) { return static_cast<std::uint32_t>(state >> 32); }
  [[nodiscard]] static std::uint32_t views_here(std::uint64_t state) {
    return process_of(state) == here() ? static_cast<std::uint32_t>(state) : closed;
  }

  // Makes the count this process's, and changing; false when it is not the one that was expected, which is then told.
  bool take(std::uint64_t& expected) {
    return state_.compare_exchange_weak(expected, counted(changing), std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  std::byte* bytes_;
  std::size_t size_;
  std::atomic<std::uint64_t> state_{closed};
};

// A counted view of a cell: moved, never copied; the last one to go closes the secret.
template <cell::use Use>
class hold {
 public:
  [[nodiscard]] static expected<hold, memory_error> try_acquire(cell* of) {
    if (of == nullptr) return unexpected(memory_error::wiped);
    if (const auto opened = of->open(Use); !opened) return unexpected(opened.error());
    return hold(of);
  }

  // The first reader, whom the end of the filling has counted in already.
  [[nodiscard]] static hold first(cell* of) { return hold(of); }

  // The same for a caller who was promised access: a refusal is a breach.
  [[nodiscard]] static hold acquire(cell* of) {
    auto opened = try_acquire(of);
    if (!opened) {
      lockfast_breach(opened.error() == memory_error::wiped  ? LOCKFAST_EMPTY_HANDLE
                      : opened.error() == memory_error::busy ? LOCKFAST_ACCESS_CONFLICT
                                                             : LOCKFAST_ACCESS_REFUSED);
    }
    return std::move(*opened);
  }

  hold(hold&& other) noexcept : of_(std::exchange(other.of_, nullptr)), process_(other.process_) {}
  hold& operator=(hold&& other) noexcept {
    if (this != &other) {
      if (of_ != nullptr) of_->leave(process_);
      of_ = std::exchange(other.of_, nullptr);
      process_ = other.process_;
    }
    return *this;
  }
  hold(const hold&) = delete;
  hold& operator=(const hold&) = delete;
  ~hold() {
    if (of_ != nullptr) of_->leave(process_);
  }

  // Ends the hold. Requires that the caller alone owns the cell, and destroys it next.
  void end_before_release() {
    if (of_ != nullptr) std::exchange(of_, nullptr)->leave_before_release(process_);
  }

  [[nodiscard]] std::byte* bytes() const { return of_ == nullptr ? nullptr : of_->bytes(); }
  [[nodiscard]] std::size_t size() const { return of_ == nullptr ? 0 : of_->size(); }

 private:
  explicit hold(cell* of) : of_(of) {}

  cell* of_;
  std::uint32_t process_ = cell::here();  // that counts it
};

LOCKFAST_EXPECTED_END
}  // namespace lockfast::detail

#undef LOCKFAST_HAS_FORK

#endif
