// sealed_stream.hpp - a secret too long for one locked buffer: sealed chunk by chunk in ordinary memory, one chunk open at a time.
//
//    auto held = sealed_stream::create();
//    auto count = held->append_from(descriptor);                         // read(2), straight into locked memory
//    auto done = held->use([&](std::span<const std::byte> chunk) { hash.add(chunk); });
//
//    append:   your bytes           --> one chunk of locked memory --> sealed, in ordinary memory
//    use:      sealed, one by one   --> one chunk of locked memory --> your function --> wiped
//
// Each chunk is sealed by XChaCha20-Poly1305, with its number and whether it is the last one. A chunk that was changed, put in the place
// of another, or cut off with all that follow, is damaged. The key is split at rest, and whole while a chunk is sealed or opened, not
// while your function runs.
//
// Threads: any number may call const functions at once; all other functions need the object alone.
#ifndef LOCKFAST_SEALED_STREAM_HPP
#define LOCKFAST_SEALED_STREAM_HPP

#include <lockfast/detail/standard_library.hpp>
#include <lockfast/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <utility>

namespace lockfast {

namespace internal {
class sealed_chunks;
}

inline namespace LOCKFAST_STANDARD_LIBRARY {

// A secret of any length. Every function but size() and its like refuses: wiped - it was moved away; denied; unavailable - in a forked
// child, unless it inherits.
class LOCKFAST_API sealed_stream {
 public:
  static constexpr std::size_t min_chunk = 64;                       // bytes
  static constexpr std::size_t max_chunk = std::size_t{1} << 20;     // bytes
  static constexpr std::uint64_t max_size = std::uint64_t{1} << 40;  // bytes

  // How it is kept.
  struct options {
    std::size_t chunk = 16384;  // plain bytes of a chunk, as much locked memory as a call takes: min_chunk to max_chunk
    std::size_t prekey = 0;     // of the key, as non_contiguous_memory::options has it
  };

  // An empty one. Refuses: limit_exceeded - by the options; denied.
  [[nodiscard]] static std::expected<sealed_stream, memory_error> create(const options& chosen);
  [[nodiscard]] static std::expected<sealed_stream, memory_error> create() { return create(options()); }

  sealed_stream(sealed_stream&& other) noexcept;
  sealed_stream& operator=(sealed_stream&& other) noexcept;
  // Wipes the key and the sealed bytes.
  ~sealed_stream();

  // Seals a copy of the bytes behind what is there; the source is left to the caller. A refusal leaves the stream as it was. Refuses:
  // damaged - the last chunk; limit_exceeded - more than max_size bytes.
  [[nodiscard]] std::expected<void, memory_error> append(std::span<const std::byte> bytes);
  [[nodiscard]] std::expected<void, memory_error> append(const buffer<std::byte>& secret);
  // Reads a descriptor to its end, chunk by chunk, and gives how many bytes came; 0 is no refusal. Waits for one in non-blocking mode
  // too. A refusal leaves the stream as it was, and what was read is lost. Refuses as append does; limit_exceeded - more than max bytes came; file_system - it cannot be
  // read.
  [[nodiscard]] std::expected<std::uint64_t, memory_error> append_from(int descriptor, std::uint64_t max = max_size);

  // Calls function(std::span<const std::byte>) with each chunk in order, in locked memory that is the function's until it returns. A
  // function that gives an expected<void, memory_error> ends this by a refusal, which is passed on. Refuses: damaged - what came
  // before was whole.
  template <class Function>
    requires std::invocable<Function&, std::span<const std::byte>>
  [[nodiscard]] std::expected<void, memory_error> use(Function&& function) const {
    return use_range(0, chunk_count(), [&](std::span<const std::byte> chunk) { return detail::run(function, chunk); });
  }
  // The same with one chunk, counted from 0: bytes [at * chunk, (at + 1) * chunk). Refuses: not_found; damaged.
  template <class Function>
    requires std::invocable<Function&, std::span<const std::byte>>
  [[nodiscard]] std::expected<void, memory_error> use_chunk(std::uint64_t at, Function&& function) const {
    return use_range(at, 1, [&](std::span<const std::byte> chunk) { return detail::run(function, chunk); });
  }

  // Wipes all of it, and its key; the stream goes on, empty.
  void clear();

  // Plain bytes; 0 once it was moved away, as the next two.
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  // Plain bytes of each chunk but the last.
  [[nodiscard]] std::size_t chunk_size() const;
  [[nodiscard]] std::uint64_t chunk_count() const;

 private:
  using look = std::function<std::expected<void, memory_error>(std::span<const std::byte>)>;

  explicit sealed_stream(std::unique_ptr<internal::sealed_chunks>&& chunks);
  [[nodiscard]] std::expected<void, memory_error> use_range(std::uint64_t first, std::uint64_t count, const look& with) const;

  std::unique_ptr<internal::sealed_chunks> chunks_;
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
