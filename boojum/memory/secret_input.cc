// secret_input.cc - bytes as they come, into a scratch that grows.
#include <lockfast/secret_input.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "boojum/memory/error_note.h"
#include "boojum/memory/scratch.h"
#include "platform/input.h"

namespace lockfast {
namespace {

using result = std::expected<void, memory_error>;

// Bytes in locked memory, up to a limit. What it grows out of is wiped.
class growing_bytes {
 public:
  explicit growing_bytes(std::size_t max) : max_(max) {}

  // Room behind what there is, one byte at least. limit_exceeded; denied.
  std::expected<std::span<std::byte>, memory_error> room() {
    if (size_ == capacity()) {
      if (size_ == max_) return std::unexpected(memory_error::limit_exceeded);
      const std::size_t wanted = std::min(max_, std::max(first_size, 2 * size_));
      std::optional<internal::scratch>& next = rooms_[1 - now_];
      next.emplace(wanted);
      if (next->refused()) return std::unexpected(memory_error::denied);
      if (size_ != 0) std::memcpy(next->data(), bytes().data(), size_);
      rooms_[now_].reset();
      now_ = 1 - now_;
    }
    return rooms_[now_]->bytes().subspan(size_);
  }
  void add(std::size_t count) { size_ += count; }
  void remove_last() {
    if (size_ != 0) lockfast_wipe(rooms_[now_]->data() + --size_, 1);
  }
  // A character of UTF-8 is a byte that is no continuation, and those behind it.
  void remove_character() {
    while (size_ != 0 && (std::to_integer<unsigned>(bytes().back()) & 0xc0) == 0x80) remove_last();
    remove_last();
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return rooms_[now_]->bytes().first(size_); }

  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> taken() const {
    if (size_ == 0) return std::unexpected(memory_error::zero_size);
    return buffer<std::byte>::filled(size_, [this](std::span<std::byte> out) { std::ranges::copy(bytes(), out.begin()); });
  }

 private:
  static constexpr std::size_t first_size = 256;

  [[nodiscard]] std::size_t capacity() const { return rooms_[now_] ? rooms_[now_]->bytes().size() : 0; }

  std::size_t max_;
  std::size_t size_ = 0;
  std::size_t now_ = 0;
  std::optional<internal::scratch> rooms_[2];
};

// Reads once; true at the end. Where a delimiter may come it reads one byte at a time, since the bytes after it belong to the next
// reader of the descriptor.
std::expected<bool, memory_error> read_more(int descriptor, const std::optional<char>& until, growing_bytes& into) {
  std::byte beyond{};
  auto room = into.room();
  const bool is_full = !room && room.error() == memory_error::limit_exceeded;
  if (!room && !is_full) return std::unexpected(room.error());
  // What is full may be followed by the end.
  std::span<std::byte> out = is_full ? std::span<std::byte>(&beyond, 1) : *room;
  if (until) out = out.first(1);
  std::size_t count = 0;
  if (const int refusal = platform::read_some(descriptor, out, count); refusal != 0) {
    return internal::refused_by_system(refusal, "cannot read the secret", nullptr);
  }
  const bool is_last = count != 0 && until && out[0] == static_cast<std::byte>(*until);
  if (is_full) lockfast_wipe(&beyond, 1);
  if (is_last) {
    if (!is_full) lockfast_wipe(out.data(), 1);
    return true;
  }
  if (count == 0) return true;
  if (is_full) return std::unexpected(memory_error::limit_exceeded);
  into.add(count);
  return false;
}

constexpr std::byte control_c{3};
constexpr std::byte control_d{4};
constexpr std::byte backspace{8};
constexpr std::byte line_feed{10};
constexpr std::byte carriage_return{13};
constexpr std::byte control_u{21};
constexpr std::byte rubout{127};

// A line as it is typed. One that is too long is read to its end all the same: the terminal would show the rest, and give it to
// the next who reads, a shell say.
class typed_line {
 public:
  typed_line(const platform::silent_terminal& from, std::size_t max) : from_(from), bytes_(max) {}

  // Reads a key; whether the line has ended.
  std::expected<bool, memory_error> read_key() {
    if (key_.refused()) return std::unexpected(memory_error::denied);
    std::byte& key = *key_.data();
    bool is_end = false;
    if (const int refusal = from_.read_key(key, is_end); refusal != 0) {
      return internal::refused_by_system(refusal, "cannot read from the terminal", nullptr);
    }
    if (is_end || key == line_feed || key == carriage_return) return true;
    if (key == control_c || (key == control_d && bytes_.size() == 0)) {
      return internal::refused_because(memory_error::cancelled, nullptr, "the user cancelled it");
    }
    if (key == control_d) return true;
    if (key == backspace || key == rubout) {
      bytes_.remove_character();
    } else if (key == control_u) {
      while (bytes_.size() != 0) bytes_.remove_last();
      is_too_long_ = false;
    } else if (auto added = add(key); !added) {
      return std::unexpected(added.error());
    }
    return false;
  }

  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> taken() const {
    if (is_too_long_) return std::unexpected(memory_error::limit_exceeded);
    return bytes_.taken();
  }

 private:
  result add(std::byte key) {
    const auto room = bytes_.room();
    if (!room && room.error() != memory_error::limit_exceeded) return std::unexpected(room.error());
    is_too_long_ = is_too_long_ || !room;
    if (!room) return {};
    room->front() = key;
    bytes_.add(1);
    return {};
  }

  const platform::silent_terminal& from_;
  growing_bytes bytes_;
  internal::scratch key_{1};
  bool is_too_long_ = false;  // until all of it is taken back
};

}  // namespace

std::expected<buffer<std::byte>, memory_error> secret_input::read(int descriptor, options chosen) {
  return internal::noting([&]() -> std::expected<buffer<std::byte>, memory_error> {
    growing_bytes bytes(chosen.max);
    for (;;) {
      const auto ended = read_more(descriptor, chosen.until, bytes);
      if (!ended) return std::unexpected(ended.error());
      if (*ended) return bytes.taken();
    }
  });
}

std::expected<buffer<std::byte>, memory_error> secret_input::ask(const char* prompt, std::size_t max) {
  return internal::noting([&]() -> std::expected<buffer<std::byte>, memory_error> {
    platform::silent_terminal terminal;
    if (const int refusal = terminal.open(); refusal != 0) {
      return internal::refused_by_system(refusal, "there is no terminal to ask at", nullptr, memory_error::unsupported);
    }
    (void)terminal.write(prompt);
    typed_line line(terminal, max);
    for (;;) {
      const auto ended = line.read_key();
      if (ended && !*ended) continue;
      (void)terminal.write("\n");
      if (!ended) return std::unexpected(ended.error());
      return line.taken();
    }
  });
}

}  // namespace lockfast
