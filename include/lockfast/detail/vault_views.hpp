// vault_views.hpp - views of opened records: what keeps a record open, and its vault in use. Included by vault.hpp.
//
// Threads: a view belongs to one thread at a time.
#ifndef LOCKFAST_DETAIL_VAULT_VIEWS_HPP
#define LOCKFAST_DETAIL_VAULT_VIEWS_HPP

#include <lockfast/vault.hpp>

#include <utility>

namespace lockfast {
inline namespace LOCKFAST_STANDARD_LIBRARY {

// A use of a vault that locks when it is idle; empty for others.
class LOCKFAST_API vault::lock_use {
 public:
  lock_use() = default;
  explicit lock_use(std::shared_ptr<internal::vault_lock>&& of) : of_(std::move(of)) {}
  lock_use(lock_use&&) noexcept = default;
  lock_use& operator=(lock_use&& other) noexcept {
    if (this == &other) return *this;  // a use must not end twice
    if (of_ != nullptr) end();
    of_ = std::move(other.of_);
    return *this;
  }
  ~lock_use() {
    if (of_ != nullptr) end();
  }

 private:
  void end();

  std::shared_ptr<internal::vault_lock> of_;
};

// One opened record, for as long as it lives: it can be read.
class vault::view {
 public:
  // As those of a std::span.
  [[nodiscard]] const std::byte* data() const { return held_.bytes(); }
  [[nodiscard]] std::size_t size() const { return held_.size(); }
  [[nodiscard]] const std::byte* begin() const { return data(); }
  [[nodiscard]] const std::byte* end() const { return data() + size(); }
  [[nodiscard]] std::span<const std::byte> span() const { return {data(), size()}; }

  view(view&&) noexcept = default;
  view& operator=(view&& other) noexcept {
    if (this == &other) return *this;
    end();
    held_ = std::move(other.held_);
    block_ = std::move(other.block_);
    use_ = std::move(other.use_);
    return *this;
  }
  ~view() { end(); }

 private:
  friend class vault;
  friend class internal::vault_state;
  using hold = detail::hold<detail::cell::use::reading>;
  view(std::shared_ptr<detail::cell>&& block, hold&& held) : block_(std::move(block)), held_(std::move(held)) {}

  // A block that neither another view nor the vault has goes with this view.
  void end() {
    if (block_.use_count() == 1) held_.end_before_release();
  }

  lock_use use_;                         // ends last
  std::shared_ptr<detail::cell> block_;  // outlives the hold
  hold held_;
};

// Several opened records; one block holds them all.
class vault::views {
 public:
  // How many, the bytes of each, and all of them: in the order of the ids that were asked for.
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::span<const std::byte> operator[](std::size_t at) const { return each_[at]; }
  [[nodiscard]] vault::spans spans() const { return {each_.get(), count_}; }

  views(views&& other) noexcept
      : use_(std::move(other.use_)),
        block_(std::move(other.block_)),
        each_(std::move(other.each_)),
        count_(std::exchange(other.count_, 0)) {}
  views& operator=(views&& other) noexcept {
    if (this == &other) return *this;
    block_ = std::move(other.block_);
    each_ = std::move(other.each_);
    count_ = std::exchange(other.count_, 0);
    use_ = std::move(other.use_);
    return *this;
  }

 private:
  friend class vault;
  friend class internal::vault_state;
  struct free_wiped {
    void operator()(std::byte* bytes) const { lockfast_free(bytes); }
  };
  views() = default;

  lock_use use_;                                  // ends last
  std::unique_ptr<std::byte, free_wiped> block_;  // isolated, read-only
  std::unique_ptr<std::span<const std::byte>[]> each_;
  std::size_t count_ = 0;
};

}  // namespace LOCKFAST_STANDARD_LIBRARY

template <class Function>
auto vault::use(id which, Function&& function) const
    -> detail::as_expected<std::invoke_result_t<Function, std::span<const std::byte>>>::type {
  const auto opened = open(which);
  if (!opened) return std::unexpected(opened.error());
  return detail::result_of(std::forward<Function>(function), opened->span());
}

template <class Function>
auto vault::use(std::span<const id> which, Function&& function) const
    -> detail::as_expected<std::invoke_result_t<Function, spans>>::type {
  const auto opened = open(which);
  if (!opened) return std::unexpected(opened.error());
  return detail::result_of(std::forward<Function>(function), opened->spans());
}

}  // namespace lockfast

#endif
