// file_memory.cc - a sealed file under a split key.
//
//    | header | nonce | XChaCha20-Poly1305(key, nonce, associated = header, secret) | tag |
//
// The key is drawn for this file alone and held as a non_contiguous_memory in RAM. The file is written once: a new value is a
// new file, and the old one goes when that is whole.
#include <lockfast/boojum.hpp>

#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "boojum/crypto/cipher.h"
#include "boojum/memory/error_note.h"
#include "boojum/crypto/drawn.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/files/resting_file.h"
#include "boojum/memory/scratch.h"

namespace lockfast {
namespace internal {
namespace {

constexpr std::uint64_t max_secret = std::uint64_t{1} << 32;

}  // namespace

class sealed_file {
 public:
  using options = file_memory::options;
  using made = std::expected<std::shared_ptr<sealed_file>, memory_error>;

  sealed_file(options wanted, std::size_t size, non_contiguous_memory key, std::shared_ptr<resting_file> file)
      : options_(std::move(wanted)), size_(size), key_(std::move(key)), file_(std::move(file)) {
    header_.size = size;
  }

  [[nodiscard]] static made seal(const buffer<std::byte>& secret, const options& wanted);
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> open() const;

  [[nodiscard]] std::expected<void, memory_error> wipe() {
    auto key = key_.wipe();
    auto file = file_->wipe();
    return file ? key : file;
  }
  [[nodiscard]] const options& chosen() const { return options_; }

 private:
  struct header {
    char magic[8] = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't'};
    std::uint32_t version = 1;
    std::uint32_t kind = 2;  // sealed; shares have their index here, and another layout
    std::uint64_t size = 0;  // of the secret, bytes
  };

  static constexpr std::size_t overhead = sizeof(header) + nonce_size + tag_size;

  [[nodiscard]] std::span<const std::byte> associated() const { return std::as_bytes(std::span(&header_, 1)); }

  options options_;
  std::size_t size_;
  non_contiguous_memory key_;
  std::shared_ptr<resting_file> file_;
  header header_;
};

sealed_file::made sealed_file::seal(const buffer<std::byte>& secret, const options& wanted) {
  const auto plain = secret.try_read();
  if (!plain) return std::unexpected(plain.error());
  if (plain->size() > max_secret) return std::unexpected(memory_error::limit_exceeded);
  auto directory = share_directory::open(wanted.directory);
  if (!directory) return std::unexpected(directory.error());
  auto key = buffer<std::byte>::filled(key_size, [](std::span<std::byte> out) { return draw_bytes(out); });
  if (!key) return std::unexpected(key.error());
  auto file = resting_file::create(*directory, overhead + plain->size());
  if (!file) return std::unexpected(file.error());
  // What is sealed is no secret, but it takes its place in the same memory until it is.
  const scratch sealed(plain->size() + tag_size);
  if (sealed.refused()) return std::unexpected(memory_error::denied);

  const auto drawn = draw_nonce();
  if (!drawn) return std::unexpected(drawn.error());
  const nonce& once = *drawn;
  header about;
  about.size = plain->size();
  {
    const auto view = key->try_read();
    if (!view) return std::unexpected(memory_error::denied);
    internal::seal(key_view(view->data(), key_size), once, std::as_bytes(std::span(&about, 1)), plain->span(), sealed.bytes());
  }
  for (const auto& [offset, bytes] : {std::pair(std::size_t{0}, std::as_bytes(std::span(&about, 1))),
                                      std::pair(sizeof about, std::as_bytes(std::span<const std::byte>(once))),
                                      std::pair(sizeof about + nonce_size, std::span<const std::byte>(sealed.bytes()))}) {
    if (auto done = (*file)->write(offset, bytes); !done) return std::unexpected(done.error());
  }
  (*file)->rest();
  auto held = non_contiguous_memory::create(std::move(*key), {.prekey = wanted.prekey});
  if (!held) return std::unexpected(held.error());
  return std::make_shared<sealed_file>(wanted, plain->size(), std::move(*held), std::move(*file));
}

std::expected<buffer<std::byte>, memory_error> sealed_file::open() const {
  const scratch whole(overhead + size_);
  if (whole.refused()) return std::unexpected(memory_error::denied);
  if (auto done = file_->read(0, whole.bytes()); !done) return std::unexpected(done.error());
  file_->rest();
  const std::span<const std::byte> all = whole.bytes();
  if (std::memcmp(all.data(), &header_, sizeof header_) != 0) return std::unexpected(memory_error::damaged);
  const auto key = key_.unlock();
  if (!key) return std::unexpected(key.error());
  const auto view = key->try_read();
  if (!view) return std::unexpected(memory_error::denied);
  const nonce_view once = all.subspan<sizeof(header), nonce_size>();
  return buffer<std::byte>::filled(size_, [&](std::span<std::byte> out) -> std::expected<void, memory_error> {
    const auto sealed = all.subspan(sizeof(header) + nonce_size);
    if (internal::open(key_view(view->data(), key_size), once, associated(), sealed, out)) return {};
    return std::unexpected(memory_error::damaged);
  });
}

}  // namespace internal

file_memory::file_memory(std::shared_ptr<internal::sealed_file> file) : file_(std::move(file)) {}
file_memory::file_memory(file_memory&&) noexcept = default;

// The file ends now, not when the refresher has let go of it.
file_memory& file_memory::operator=(file_memory&& other) noexcept {
  if (this != &other) {
    (void)wipe();
    file_ = std::move(other.file_);
  }
  return *this;
}

file_memory::~file_memory() { (void)wipe(); }

std::expected<file_memory, memory_error> file_memory::create(buffer<std::byte> secret, options wanted) {
  return internal::noting([&] {
    return internal::catch_bad_alloc([&]() -> std::expected<file_memory, memory_error> {
      auto made = internal::sealed_file::seal(secret, wanted);
      if (!made) return std::unexpected(made.error());
      return file_memory(std::move(*made));
    });
  });
}

std::expected<file_memory, memory_error> file_memory::update(buffer<std::byte> next) && {
  if (file_ == nullptr) return std::unexpected(memory_error::wiped);
  auto made = internal::catch_bad_alloc([&] { return create(std::move(next), file_->chosen()); });
  if (made) (void)wipe();
  return made;
}

std::expected<buffer<std::byte>, memory_error> file_memory::unlock() const {
  if (file_ == nullptr) return std::unexpected(memory_error::wiped);
  return internal::noting([&] { return file_->open(); });
}

std::expected<file_memory, memory_error> file_memory::copy() const {
  auto whole = unlock();
  if (!whole) return std::unexpected(whole.error());
  return internal::catch_bad_alloc([&] { return create(std::move(*whole), file_->chosen()); });
}

std::expected<void, memory_error> file_memory::wipe() {
  const auto gone = std::move(file_);
  return gone == nullptr ? std::expected<void, memory_error>() : gone->wipe();
}

}  // namespace lockfast
