// sealed_chunks.cc - chunks sealed, opened and appended, and the interface over them.
#include "boojum/vault/sealed_chunks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "boojum/crypto/cipher.h"
#include "boojum/crypto/drawn.h"
#include "boojum/memory/error_note.h"
#include "platform/input.h"

namespace lockfast {
namespace internal {
namespace {

constexpr std::size_t head_size = nonce_size + tag_size;

using binding = std::array<std::byte, sizeof(std::uint64_t) + 1>;

binding binding_of(std::uint64_t at, bool is_last) {
  binding made;
  std::memcpy(made.data(), &at, sizeof at);
  made.back() = static_cast<std::byte>(is_last);
  return made;
}

}  // namespace

template <class With>
result sealed_chunks::with_key(With&& with) const {
  if (key_ == nullptr) return std::unexpected(memory_error::damaged);
  const scratch whole(key_size);
  if (whole.refused()) return std::unexpected(memory_error::denied);
  if (auto joined = key_->join_into(whole.bytes()); !joined) return joined;
  return std::forward<With>(with)(key_view(whole.data(), key_size));
}

result sealed_chunks::make_key() {
  const scratch whole(key_size);
  if (whole.refused()) return std::unexpected(memory_error::denied);
  if (auto drawn = draw_bytes(whole.bytes()); !drawn) return drawn;
  try {
    auto made = split_secret::split(whole.bytes(), {.prekey = options_.prekey, .remix = remix_policy::on_demand});
    if (!made) return std::unexpected(made.error());
    key_ = std::move(*made);
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
  return {};
}

std::size_t sealed_chunks::size_of(std::uint64_t at) const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(options_.chunk, size_ - at * options_.chunk));
}

std::size_t sealed_chunks::last_sealed_size() const { return size_ == 0 ? 0 : head_size + size_of(count() - 1); }

std::expected<std::span<std::byte>, memory_error> sealed_chunks::open(std::uint64_t at, std::span<std::byte> room) const {
  const auto bytes = room.first(size_of(at));
  std::array<std::byte, head_size> head;
  log_.read(at * stride(), head);
  log_.read(at * stride() + head_size, bytes);
  const std::span<const std::byte, head_size> read = head;
  const auto opened = with_key([&](key_view key) -> result {
    const auto once = read.first<nonce_size>();
    if (internal::open(key, once, binding_of(at, at + 1 == count()), bytes, read.last<tag_size>(), bytes)) return {};
    return std::unexpected(memory_error::damaged);
  });
  if (!opened) return std::unexpected(opened.error());
  return bytes;
}

void sealed_chunks::clear() {
  (void)log_.resize(0);
  size_ = 0;
  if (key_ != nullptr) (void)key_->wipe();
  key_ = nullptr;
}

// ---- Appending ------------------------------------------------------------------------------------------------------------

result sealed_chunks::appending::begin() {
  if (room_.refused() || last_.refused()) return std::unexpected(memory_error::denied);
  if (to_.size_ == 0) {
    if (to_.key_ == nullptr) {
      if (auto made = to_.make_key(); !made) return made;
    }
  } else {
    next_ = to_.count() - 1;
    const auto opened = to_.open(next_, room_.bytes());
    if (!opened) return std::unexpected(opened.error());
    filled_ = opened->size();
    to_.log_.read(next_ * to_.stride(), last_.bytes());
  }
  has_begun_ = true;
  return {};
}

std::expected<std::span<std::byte>, memory_error> sealed_chunks::appending::room() {
  if (is_full()) {
    if (auto done = flush(place::inner); !done) return std::unexpected(done.error());
  }
  return room_.bytes().subspan(filled_, to_.options_.chunk - filled_);
}

result sealed_chunks::appending::added(std::size_t count) {
  filled_ += count;
  count_ += count;
  if (to_.size_ + count_ > sealed_stream::max_size) return std::unexpected(memory_error::limit_exceeded);
  return {};
}

result sealed_chunks::appending::flush(place where) {
  const auto bytes = room_.bytes().first(filled_);
  const std::uint64_t offset = next_ * to_.stride();
  if (!to_.log_.resize(std::max(to_.log_.size(), offset + head_size + filled_))) return std::unexpected(memory_error::denied);
  const auto once = draw_nonce();
  if (!once) return std::unexpected(once.error());
  std::array<std::byte, tag_size> tag;
  auto done = to_.with_key([&](key_view key) -> result {
    seal(key, *once, binding_of(next_, where == place::last), bytes, bytes, tag);
    return {};
  });
  if (!done) return done;
  to_.log_.write(offset, *once);
  to_.log_.write(offset + nonce_size, tag);
  to_.log_.write(offset + head_size, bytes);
  ++next_;
  filled_ = 0;
  return {};
}

result sealed_chunks::appending::finish() {
  if (count_ == 0) return {};
  if (auto done = flush(place::last); !done) return done;
  to_.size_ += count_;
  is_finished_ = true;
  return {};
}

sealed_chunks::appending::~appending() {
  if (!has_begun_ || is_finished_) return;
  if (to_.size_ == 0) {
    to_.clear();
    return;
  }
  const std::uint64_t offset = (to_.count() - 1) * to_.stride();
  (void)to_.log_.resize(offset + last_.bytes().size());  // shrinking, which nothing refuses
  to_.log_.write(offset, last_.bytes());
}

}  // namespace internal

// ---- The interface --------------------------------------------------------------------------------------------------------

using internal::sealed_chunks;

namespace {

using result = std::expected<void, memory_error>;

}  // namespace

std::expected<sealed_stream, memory_error> sealed_stream::create(const options& chosen) {
  if (chosen.chunk < min_chunk || chosen.chunk > max_chunk) return std::unexpected(memory_error::limit_exceeded);
  const bool is_right = chosen.prekey == 0 || (chosen.prekey >= internal::split_secret::shortest_prekey &&
                                               chosen.prekey <= internal::split_secret::max_prekey);
  if (!is_right) return std::unexpected(memory_error::limit_exceeded);
  std::unique_ptr<sealed_chunks> made(new (std::nothrow) sealed_chunks(chosen));
  if (made == nullptr) return std::unexpected(memory_error::denied);
  return sealed_stream(std::move(made));
}

sealed_stream::sealed_stream(std::unique_ptr<sealed_chunks>&& chunks) : chunks_(std::move(chunks)) {}
sealed_stream::sealed_stream(sealed_stream&&) noexcept = default;
sealed_stream& sealed_stream::operator=(sealed_stream&&) noexcept = default;
sealed_stream::~sealed_stream() = default;

result sealed_stream::append(std::span<const std::byte> bytes) {
  if (chunks_ == nullptr) return std::unexpected(memory_error::wiped);
  return internal::noting([&]() -> result {
    if (bytes.empty()) return {};
    if (bytes.size() > max_size - chunks_->size()) return std::unexpected(memory_error::limit_exceeded);
    sealed_chunks::appending to(*chunks_);
    if (auto begun = to.begin(); !begun) return begun;
    while (!bytes.empty()) {
      const auto room = to.room();
      if (!room) return std::unexpected(room.error());
      const std::size_t count = std::min(room->size(), bytes.size());
      std::memcpy(room->data(), bytes.data(), count);
      if (auto done = to.added(count); !done) return done;
      bytes = bytes.subspan(count);
    }
    return to.finish();
  });
}

result sealed_stream::append(const buffer<std::byte>& secret) {
  const auto view = secret.try_read();
  if (!view) return std::unexpected(view.error());
  return append(view->span());
}

std::expected<std::uint64_t, memory_error> sealed_stream::append_from(int descriptor, std::uint64_t max) {
  if (chunks_ == nullptr) return std::unexpected(memory_error::wiped);
  return internal::noting([&]() -> std::expected<std::uint64_t, memory_error> {
    sealed_chunks::appending to(*chunks_);
    if (auto begun = to.begin(); !begun) return std::unexpected(begun.error());
    const internal::scratch beyond(1);  // the byte that shows that a full chunk is not the last one
    if (beyond.refused()) return std::unexpected(memory_error::denied);
    for (;;) {
      const bool was_full = to.is_full();
      auto room = was_full ? beyond.bytes() : std::span<std::byte>();
      if (!was_full) {
        const auto rest = to.room();
        if (!rest) return std::unexpected(rest.error());
        room = *rest;
      }
      std::size_t count = 0;
      if (const int refusal = platform::read_some(descriptor, room, count); refusal != 0) {
        return internal::refused_by_system(refusal, "cannot read the secret", nullptr);
      }
      if (count == 0) break;
      if (was_full) {
        const auto next = to.room();
        if (!next) return std::unexpected(next.error());
        next->front() = beyond.bytes().front();
      }
      if (auto done = to.added(count); !done) return std::unexpected(done.error());
      if (to.count() > max) return std::unexpected(memory_error::limit_exceeded);
    }
    if (auto done = to.finish(); !done) return std::unexpected(done.error());
    return to.count();
  });
}

result sealed_stream::use_range(std::uint64_t first, std::uint64_t count, const look& with) const {
  if (chunks_ == nullptr) return std::unexpected(memory_error::wiped);
  if (count == 0) return {};
  if (first >= chunks_->count()) return std::unexpected(memory_error::not_found);
  const internal::scratch room(chunks_->chunk_size());
  if (room.refused()) return std::unexpected(memory_error::denied);
  for (std::uint64_t at = first; at < first + count; ++at) {
    // The function must leave the stream alone; one that clears it reads no memory that is gone.
    if (at >= chunks_->count()) return std::unexpected(memory_error::not_found);
    const auto chunk = internal::noting([&] { return chunks_->open(at, room.bytes()); });
    if (!chunk) return std::unexpected(chunk.error());
    if (auto done = with(*chunk); !done) return done;
  }
  return {};
}

void sealed_stream::clear() {
  if (chunks_ != nullptr) chunks_->clear();
}

std::uint64_t sealed_stream::size() const { return chunks_ == nullptr ? 0 : chunks_->size(); }
std::size_t sealed_stream::chunk_size() const { return chunks_ == nullptr ? 0 : chunks_->chunk_size(); }
std::uint64_t sealed_stream::chunk_count() const { return chunks_ == nullptr ? 0 : chunks_->count(); }

}  // namespace lockfast
