// passphrase.cc - the state of a passphrase and its expiry.
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "boojum/memory/error_note.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/fork.h"
#include "boojum/memory/refresher.h"
#include "boojum/crypto/passphrase_access.h"
#include "boojum/split/split_secret.h"
#include "platform/thread.h"

namespace lockfast {
namespace internal {
namespace {

// The longest of clocks' arithmetic is not far beyond it.
constexpr std::chrono::milliseconds max_expiry = std::chrono::years(100);

}  // namespace

// Threads: mutex_ covers all members; it is never held while a secret is split or joined.
class passphrase_state final : public refreshable {
 public:
  using options = passphrase::options;
  using held = std::shared_ptr<const non_contiguous_memory>;

  passphrase_state(options chosen, held secret) : chosen_(std::move(chosen)), secret_(std::move(secret)) {
    chosen_.idle_expiry = std::min(chosen_.idle_expiry, max_expiry);
    chosen_.lifetime = std::min(chosen_.lifetime, max_expiry);
  }

  [[nodiscard]] const options& chosen() const { return chosen_; }

  // The secret, for a use that begins now and lasts until end_use().
  [[nodiscard]] std::expected<held, memory_error> begin_use() {
    expire_if_due();
    const std::scoped_lock held_here(mutex_);
    if (secret_ == nullptr) return std::unexpected(expired_ ? memory_error::expired : memory_error::wiped);
    ++uses_here();
    return secret_;
  }

  void end_use(use_kind kind) {
    const std::scoped_lock held_here(mutex_);
    if (std::size_t& uses = uses_here(); uses != 0) --uses;
    if (kind == use_kind::keeps_alive) last_use_ = platform::elapsed_time();
  }

  [[nodiscard]] bool has_expired() {
    expire_if_due();
    const std::scoped_lock held_here(mutex_);
    return expired_;
  }

  // Gives back what was there, so that it goes when no mutex is held.
  [[nodiscard]] held put(held next) {
    const std::scoped_lock held_here(mutex_);
    set_at_ = last_use_ = platform::elapsed_time();
    expired_ = false;
    return std::exchange(secret_, std::move(next));
  }

  [[nodiscard]] bool available() {
    expire_if_due();
    held secret;
    {
      const std::scoped_lock held_here(mutex_);
      secret = secret_;
    }
    return secret != nullptr && secret->split_->is_here();
  }

  [[nodiscard]] held take_out() {
    const std::scoped_lock held_here(mutex_);
    expired_ = false;
    return std::exchange(secret_, nullptr);
  }

  void round() override { expire_if_due(); }
  [[nodiscard]] std::mutex* held_over_fork() override { return &mutex_; }

 private:
  void expire_if_due() {
    held gone;
    {
      const std::scoped_lock held_here(mutex_);
      if (secret_ == nullptr || !is_due()) return;
      expired_ = true;
      gone = std::exchange(secret_, nullptr);
    }
    gone = nullptr;
    if (chosen_.on_expiry != nullptr) chosen_.on_expiry();
  }

  // Requires the mutex. In a forked child a new count begins: the uses of other threads end in the parent alone.
  [[nodiscard]] std::size_t& uses_here() {
    if (const unsigned now = fork_generation(); now != std::exchange(generation_, now)) uses_ = 0;
    return uses_;
  }

  [[nodiscard]] bool is_due() {
    const auto now = platform::elapsed_time();
    const bool idle = chosen_.idle_expiry.count() > 0 && uses_here() == 0 && now - last_use_ >= chosen_.idle_expiry;
    return idle || (chosen_.lifetime.count() > 0 && now - set_at_ >= chosen_.lifetime);
  }

  std::mutex mutex_;
  options chosen_;
  held secret_;
  std::size_t uses_ = 0;                     // that have begun and not ended
  unsigned generation_ = fork_generation();  // of the process that counts them
  std::chrono::nanoseconds last_use_ = platform::elapsed_time();
  std::chrono::nanoseconds set_at_ = last_use_;
  bool expired_ = false;
};

bool passphrase_access::has_expired(passphrase_state& of) { return of.has_expired(); }

bool passphrase_access::expires(const passphrase& of) {
  return of.state_ != nullptr && (of.state_->chosen().idle_expiry.count() > 0 || of.state_->chosen().lifetime.count() > 0);
}

std::expected<void, memory_error> passphrase_access::use(const passphrase& of, use_kind kind,
                                                         const std::function<void(std::span<const std::byte>)>& with) {
  const auto state = of.state_;
  if (state == nullptr) return std::unexpected(memory_error::wiped);
  const auto held = state->begin_use();
  if (!held) return std::unexpected(held.error());
  const auto done = [&]() -> std::expected<void, memory_error> {
    const auto whole = (*held)->unlock();
    if (!whole) return std::unexpected(whole.error());
    const auto view = whole->try_read();
    if (!view) return std::unexpected(memory_error::denied);
    with(view->span());
    return {};
  }();
  state->end_use(kind);
  return done;
}

}  // namespace internal

namespace {

using internal::passphrase_state;
using result = std::expected<void, memory_error>;

std::expected<buffer<std::byte>, memory_error> buffer_of(std::span<const char> characters) {
  if (characters.empty()) return internal::refused_because(memory_error::zero_size, nullptr, "the passphrase is empty");
  return buffer<std::byte>::filled(characters.size(),
                                   [&](std::span<std::byte> out) { std::memcpy(out.data(), characters.data(), out.size()); });
}

std::expected<passphrase_state::held, memory_error> split(buffer<std::byte> whole, std::size_t prekey) {
  return internal::catch_bad_alloc([&]() -> std::expected<passphrase_state::held, memory_error> {
    auto held = non_contiguous_memory::create(std::move(whole), {.prekey = prekey});
    if (!held) return std::unexpected(held.error());
    return std::make_shared<const non_contiguous_memory>(std::move(*held));
  });
}

}  // namespace

passphrase::passphrase(std::shared_ptr<passphrase_state> state) : state_(std::move(state)) {}
passphrase::passphrase(passphrase&&) noexcept = default;
passphrase& passphrase::operator=(passphrase&& other) noexcept {
  if (this != &other) {
    clear();
    state_ = std::move(other.state_);
  }
  return *this;
}
passphrase::~passphrase() { clear(); }

std::expected<passphrase, memory_error> passphrase::take(buffer<std::byte> typed, options chosen) {
  // With a negative time it would never expire.
  if (std::min(chosen.idle_expiry, chosen.lifetime) < std::chrono::milliseconds::zero()) {
    return internal::refused_because(memory_error::limit_exceeded, nullptr,
                                     "a time after which a passphrase expires is negative");
  }
  auto held = split(std::move(typed), chosen.prekey);
  if (!held) return std::unexpected(held.error());
  return internal::catch_bad_alloc([&]() -> std::expected<passphrase, memory_error> {
    auto state = std::make_shared<passphrase_state>(std::move(chosen), std::move(*held));
    if (auto joined = internal::join_refresher(state); !joined) return std::unexpected(joined.error());
    return passphrase(std::move(state));
  });
}

std::expected<passphrase, memory_error> passphrase::take(std::span<char> typed, options chosen) {
  auto made = internal::noting([&]() -> std::expected<passphrase, memory_error> {
    auto whole = buffer_of(typed);
    if (!whole) return std::unexpected(whole.error());
    return take(std::move(*whole), chosen);
  });
  if (made) lockfast_wipe(typed.data(), typed.size());
  return made;
}

result passphrase::set(std::span<char> typed) {
  return internal::noting([&]() -> result {
    auto next = prepare(typed);
    if (!next) return std::unexpected(next.error());
    return adopt(std::move(*next), typed);
  });
}

std::expected<passphrase, memory_error> passphrase::prepare(std::span<const char> typed) const {
  if (state_ == nullptr) return std::unexpected(memory_error::wiped);
  auto whole = buffer_of(typed);
  if (!whole) return std::unexpected(whole.error());
  return take(std::move(*whole), options{.prekey = state_->chosen().prekey});
}

result passphrase::adopt(passphrase next, std::span<char> typed) {
  (void)state_->put(next.state_->take_out());
  lockfast_wipe(typed.data(), typed.size());
  return {};
}

std::expected<buffer<std::byte>, memory_error> passphrase::unlock() const {
  if (state_ == nullptr) return std::unexpected(memory_error::wiped);
  const auto held = state_->begin_use();
  if (!held) return std::unexpected(held.error());
  auto whole = (*held)->unlock();
  if (!whole) state_->end_use(internal::use_kind::keeps_alive);
  return whole;
}

passphrase::use_end::use_end(const passphrase& of) : state_(of.state_) {}
passphrase::use_end::~use_end() { state_->end_use(internal::use_kind::keeps_alive); }

std::expected<bool, memory_error> passphrase::equals(std::span<const char> again) const {
  const auto whole = unlock();
  if (!whole) return std::unexpected(whole.error());
  const use_end end(*this);
  const auto view = whole->try_read();
  if (!view) return std::unexpected(memory_error::denied);
  return view->size() == again.size() && lockfast_equal(view->data(), again.data(), again.size()) != 0;
}

void passphrase::clear() {
  if (state_ != nullptr) (void)state_->take_out();
}

bool passphrase::available() const { return state_ != nullptr && state_->available(); }

}  // namespace lockfast
