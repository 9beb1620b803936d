// passphrase.cc - the state of a passphrase, its expiry, and keys made of it.
//
//    k_0 = BLAKE2b-512(label | salt)[0..32)
//    k_1 = HChaCha20(k_0, |phrase|);  k_i+1 = HChaCha20(k_i, 16 bytes of the phrase, zeros behind the last)
//    key = scrypt(password = k_last, salt, N, r, p)
//
// libcrypto keeps a copy of what it derives from, in ordinary memory, for as long as scrypt takes. So it is given k_last, which
// is good for this key and nothing else, and never the passphrase.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "boojum/cipher.h"
#include "boojum/little_endian.h"
#include "boojum/openssl_algorithms.h"
#include "boojum/refusing.h"
#include "boojum/rounds.h"
#include "boojum/scratch.h"

namespace lockfast {
namespace internal {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::string_view salt_label = "lockfast passphrase 1";
constexpr std::uint64_t most_scrypt_memory = std::uint64_t{4} << 30;  // bytes
constexpr std::size_t longest_key = 1024;                             // bytes

// The longest of clocks' arithmetic is not far beyond it.
constexpr std::chrono::milliseconds longest_expiry = std::chrono::years(100);

// k_0: what the salt gives, so that k_last serves this salt alone.
bool start_from(std::span<const std::byte> salt, std::span<std::byte, 64> out) {
  const error_mark mark;
  const openssl_algorithms* const all = algorithms();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool done = all != nullptr && context != nullptr && EVP_DigestInit_ex2(context, all->blake2b, nullptr) == 1 &&
                    EVP_DigestUpdate(context, salt_label.data(), salt_label.size()) == 1 &&
                    EVP_DigestUpdate(context, salt.data(), salt.size()) == 1 &&
                    EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1;
  EVP_MD_CTX_free(context);
  return done;
}

// Absorbs a passphrase into the key at the start of room, whose last 16 bytes are worked in. Requires 64 bytes of room.
void absorb(std::span<const std::byte> phrase, std::span<std::byte, 64> room) {
  const auto key = room.first<32>();
  const auto block = room.last<16>();
  lockfast_wipe(block.data(), block.size());
  store_little(block.data(), std::uint64_t{phrase.size()});
  hchacha20(key, block, key);
  while (!phrase.empty()) {
    const std::size_t length = std::min(phrase.size(), block.size());
    lockfast_wipe(block.data(), block.size());
    std::memcpy(block.data(), phrase.data(), length);
    hchacha20(key, block, key);
    phrase = phrase.subspan(length);
  }
}

bool run_scrypt(std::span<const std::byte> password, std::span<const std::byte> salt, scrypt_cost cost,
                std::span<std::byte> out) {
  const error_mark mark;
  EVP_KDF* const algorithm = scrypt_algorithm();
  EVP_KDF_CTX* const context = algorithm == nullptr ? nullptr : EVP_KDF_CTX_new(algorithm);
  std::uint64_t blocks = std::uint64_t{1} << cost.work;
  std::uint64_t memory = most_scrypt_memory;
  const auto octets = [](const char* name, std::span<const std::byte> bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()), bytes.size());
  };
  std::uint32_t block = cost.block;
  std::uint32_t parallel = cost.parallel;
  const std::array parameters = {octets(OSSL_KDF_PARAM_PASSWORD, password),
                                 octets(OSSL_KDF_PARAM_SALT, salt),
                                 OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &blocks),
                                 OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &block),
                                 OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &parallel),
                                 OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                                 OSSL_PARAM_construct_end()};
  const bool done = context != nullptr &&
                    EVP_KDF_derive(context, reinterpret_cast<unsigned char*>(out.data()), out.size(), parameters.data()) == 1;
  EVP_KDF_CTX_free(context);
  return done;
}

}  // namespace

// Threads: exclusion_ covers all members; it is never held while a secret is split or joined.
class passphrase_state final : public at_rest {
 public:
  using options = passphrase::options;
  using held = std::shared_ptr<const non_contiguous_memory>;

  passphrase_state(const options& chosen, held secret)
      : chosen_{.idle_expiry = std::min(chosen.idle_expiry, longest_expiry), .prekey = chosen.prekey},
        secret_(std::move(secret)) {}

  [[nodiscard]] const options& chosen() const { return chosen_; }

  // The secret, for a use that begins now.
  [[nodiscard]] std::expected<held, memory_error> begin_use() {
    if (auto gone = expire(); gone != nullptr) return std::unexpected(memory_error::expired);
    const std::scoped_lock held_here(exclusion_);
    if (secret_ == nullptr) return std::unexpected(expired_ ? memory_error::expired : memory_error::wiped);
    last_use_ = clock::now();
    return secret_;
  }

  // Gives back what was there, so that it goes when no mutex is held.
  [[nodiscard]] held put(held next) {
    const std::scoped_lock held_here(exclusion_);
    last_use_ = clock::now();
    expired_ = false;
    return std::exchange(secret_, std::move(next));
  }

  [[nodiscard]] bool available() {
    if (auto gone = expire(); gone != nullptr) return false;
    const std::scoped_lock held_here(exclusion_);
    return secret_ != nullptr;
  }

  [[nodiscard]] held take_out() {
    const std::scoped_lock held_here(exclusion_);
    expired_ = false;
    return std::exchange(secret_, nullptr);
  }

  void round() override { (void)expire(); }
  [[nodiscard]] std::mutex* held_over_fork() override { return &exclusion_; }

 private:
  [[nodiscard]] held expire() {
    const std::scoped_lock held_here(exclusion_);
    const bool idle = chosen_.idle_expiry.count() > 0 && clock::now() - last_use_ >= chosen_.idle_expiry;
    if (secret_ == nullptr || !idle) return nullptr;
    expired_ = true;
    return std::exchange(secret_, nullptr);
  }

  std::mutex exclusion_;
  const options chosen_;
  held secret_;
  clock::time_point last_use_ = clock::now();
  bool expired_ = false;
};

}  // namespace internal

namespace {

using internal::passphrase_state;
using result = std::expected<void, memory_error>;

std::expected<buffer<std::byte>, memory_error> buffer_of(std::span<const char> characters) {
  return buffer<std::byte>::filled(characters.size(),
                                   [&](std::span<std::byte> out) { std::memcpy(out.data(), characters.data(), out.size()); });
}

std::expected<passphrase_state::held, memory_error> split(buffer<std::byte> whole, std::size_t prekey) {
  return internal::refusing([&]() -> std::expected<passphrase_state::held, memory_error> {
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
  auto held = split(std::move(typed), chosen.prekey);
  if (!held) return std::unexpected(held.error());
  return internal::refusing([&]() -> std::expected<passphrase, memory_error> {
    auto state = std::make_shared<passphrase_state>(chosen, std::move(*held));
    if (auto joined = internal::join_rounds(state); !joined) return std::unexpected(joined.error());
    return passphrase(std::move(state));
  });
}

std::expected<passphrase, memory_error> passphrase::take(std::span<char> typed, options chosen) {
  auto whole = buffer_of(typed);
  if (!whole) return std::unexpected(whole.error());
  auto made = take(std::move(*whole), chosen);
  if (made) lockfast_wipe(typed.data(), typed.size());
  return made;
}

result passphrase::set(std::span<char> typed) {
  auto next = prepare(typed);
  if (!next) return std::unexpected(next.error());
  return adopt(std::move(*next), typed);
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
  return (*held)->unlock();
}

std::expected<bool, memory_error> passphrase::equals(std::span<const char> again) const {
  const auto whole = unlock();
  if (!whole) return std::unexpected(whole.error());
  const auto view = whole->try_read();
  if (!view) return std::unexpected(memory_error::refused);
  return view->size() == again.size() && lockfast_equal(view->data(), again.data(), again.size()) != 0;
}

std::expected<buffer<std::byte>, memory_error> passphrase::derive(std::span<const std::byte> salt, scrypt_cost cost,
                                                                  std::size_t size) const {
  if (cost.work < 1 || cost.work > 24 || cost.block < 1 || cost.block > 64 || cost.parallel < 1 || cost.parallel > 64 ||
      size > internal::longest_key) {
    return std::unexpected(memory_error::limit);
  }
  if (internal::scrypt_algorithm() == nullptr) return std::unexpected(memory_error::unsupported);
  const internal::scratch room(64);
  if (room.refused()) return std::unexpected(memory_error::refused);
  const std::span<std::byte, 64> work(room.bytes().first<64>());
  if (!internal::start_from(salt, work)) return std::unexpected(memory_error::refused);
  auto absorbed = use([&](std::span<const std::byte> phrase) { internal::absorb(phrase, work); });
  internal::wipe_stack();
  if (!absorbed) return std::unexpected(absorbed.error());
  return buffer<std::byte>::filled(size, [&](std::span<std::byte> out) -> result {
    const bool done = internal::run_scrypt(work.first<32>(), salt, cost, out);
    internal::wipe_stack();
    if (!done) return std::unexpected(memory_error::refused);
    return {};
  });
}

void passphrase::clear() {
  if (state_ != nullptr) (void)state_->take_out();
}

bool passphrase::available() const { return state_ != nullptr && state_->available(); }

}  // namespace lockfast
