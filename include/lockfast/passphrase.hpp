// passphrase.hpp - a passphrase that stays in memory for days: held split, used within a scope, gone when it is idle.
//
//    auto phrase = passphrase::take(std::span<char>(typed), {.idle_expiry = std::chrono::minutes(5)});
//    phrase->use([&](std::span<const std::byte> bytes) { open_with(bytes); });
//    auto key = phrase->derive(salt);              // scrypt: a new buffer of 32 bytes
//
// A passphrase is held as a non_contiguous_memory. Each use joins it into a buffer that is wiped before the use returns. When
// it was idle for as long as idle_expiry says, or lives for as long as lifetime says, it is wiped: by the refresher, or at the next
// attempt to use it at the latest. Both count the time while the machine sleeps.
//
// Threads: const functions are safe from any number of threads, and so are replace, clear and set; moving and destroying need
// the object alone.
#ifndef LOCKFAST_PASSPHRASE_HPP
#define LOCKFAST_PASSPHRASE_HPP

#include <lockfast/boojum.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>

namespace lockfast {

namespace internal {
class passphrase_state;
class passphrase_access;
}  // namespace internal

// What deriving a key costs by scrypt (RFC 7914): memory of 128 * block * 2^work bytes, 128 MiB by default, as OWASP's Password
// Storage Cheat Sheet recommends.
struct scrypt_cost {
  unsigned work = 17;          // log2 of N: 1 to 24, and less than 16 * block
  std::uint32_t block = 8;     // r: 1 to 64
  std::uint32_t parallel = 1;  // p: 1 to 64
};

// What deriving a key costs by Argon2id (RFC 9106, whose second recommendation these are).
struct argon2id_cost {
  std::uint32_t memory = 64 * 1024;  // KiB: 8 for each lane at least, 2^24 at most
  std::uint32_t passes = 3;          // 1 to 64
  std::uint32_t lanes = 4;           // 1 to 64
};

inline namespace LOCKFAST_STANDARD_LIBRARY {

class LOCKFAST_API passphrase {
 public:
  // When it expires, and how it is split.
  struct options {
    // That long after the end of the latest use it expires. None: never; a hundred years at most; not negative. So is lifetime.
    std::chrono::milliseconds idle_expiry{0};
    std::size_t prekey = 0;  // as in non_contiguous_memory
    // That long after it was taken or set it expires, however often it is used. None: never.
    std::chrono::milliseconds lifetime{0};
    // Called once when it expires, by the thread that notices: the refresher's, or one that asks or uses. It must not throw, nor use
    // this passphrase.
    std::function<void()> on_expiry = nullptr;
  };

  // The characters of typed, which is wiped; a refusal leaves it as it was. Refusals: zero_size;
  // limit_exceeded; denied.
  [[nodiscard]] static std::expected<passphrase, memory_error> take(std::span<char> typed, options);
  [[nodiscard]] static std::expected<passphrase, memory_error> take(std::span<char> typed) { return take(typed, options()); }
  [[nodiscard]] static std::expected<passphrase, memory_error> take(buffer<std::byte> typed, options);

  // Puts another in its place, also where it was cleared or has expired; typed is wiped. A refusal leaves both as they were.
  std::expected<void, memory_error> set(std::span<char> typed);

  // Calls use(bytes) while the bytes can be read. Refusals: wiped, expired, and those of unlock. What use returns, nothing, a value
  // or a std::expected of memory_error, is passed on in one std::expected.
  template <class Use>
    requires std::invocable<Use, std::span<const std::byte>>
  auto use(Use&& use) const -> detail::as_expected<std::invoke_result_t<Use, std::span<const std::byte>>>::type {
    const auto whole = unlock();
    if (!whole) return std::unexpected(whole.error());
    const use_end end(*this);
    const auto view = whole->try_read();
    if (!view) return std::unexpected(memory_error::denied);
    return detail::result_of(std::forward<Use>(use), std::span<const std::byte>(view->span()));
  }

  // Whether the characters are those of the passphrase, in a time that depends on the lengths alone. again is not wiped.
  [[nodiscard]] std::expected<bool, memory_error> equals(std::span<const char> again) const;

  // Calls commit(bytes of the new one), which may give nothing or a std::expected<void, memory_error>; then puts the new one in
  // place of the old one. When commit refuses or throws, or anything else is refused, the old one stays. typed is wiped when the
  // new one is in place.
  template <class Commit>
    requires std::invocable<Commit, std::span<const std::byte>>
  std::expected<void, memory_error> replace(std::span<char> typed, Commit&& commit) {
    auto next = prepare(typed);
    if (!next) return std::unexpected(next.error());
    if (auto done = next->use(std::forward<Commit>(commit)); !done) return done;
    return adopt(std::move(*next), typed);
  }

  // A key of size bytes for this salt, by scrypt over this passphrase (docs/boojum.md). Refusals: unsupported - libcrypto has
  // no BLAKE2b; limit_exceeded - a cost out of its range; denied; and those of use.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> derive(std::span<const std::byte> salt, scrypt_cost cost = {},
                                                                      std::size_t size = 32) const;
  // The same by Argon2id. Refusals: unsupported - libcrypto is older than 3.2; limit_exceeded; denied; and those of use.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> derive_argon2id(std::span<const std::byte> salt,
                                                                               argon2id_cost cost = {},
                                                                               std::size_t size = 32) const;

  // Wipes it now. Afterwards it is not available, and every use is memory_error::wiped.
  void clear();

  // Whether it can be used: not in a forked child that has no copy of it. Asking is no use, and does not keep it from expiring.
  [[nodiscard]] bool available() const;

  passphrase(passphrase&&) noexcept;
  passphrase& operator=(passphrase&&) noexcept;
  ~passphrase();

 private:
  friend class internal::passphrase_access;
  explicit passphrase(std::shared_ptr<internal::passphrase_state>);

  // The end of a use, from which idle_expiry counts.
  class LOCKFAST_API use_end {
   public:
    explicit use_end(const passphrase& of);
    use_end(const use_end&) = delete;
    use_end& operator=(const use_end&) = delete;
    ~use_end();

   private:
    std::shared_ptr<internal::passphrase_state> state_;
  };

  // What succeeds begins a use, which use_end ends.
  std::expected<buffer<std::byte>, memory_error> unlock() const;
  std::expected<passphrase, memory_error> prepare(std::span<const char> typed) const;
  std::expected<void, memory_error> adopt(passphrase next, std::span<char> typed);

  std::shared_ptr<internal::passphrase_state> state_;
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
