// boojum.hpp - secrets that are nowhere whole while at rest: non_contiguous_memory, and its simpler kin.
//
//    auto held = non_contiguous_memory::create(std::move(key), {.shares = {share_place::ram, share_place::file}});
//    held->refresh();                       // every share changes; the secret is not formed
//    auto back = held->unlock();            // a new buffer; every share changes again
//
//    ram_memory               one isolated secret, no access at rest
//    file_memory              a sealed file, under a key that is held split in RAM
//    non_contiguous_memory    2 to 16 shares in RAM and in files, of which none says anything of the secret
//
// Each is a locked_memory (secret.hpp): create(buffer, options), update(buffer) &&, unlock(), copy(), wipe(). What each defends
// against, and what not, is in docs/boojum.md.
//
// In a forked child a secret that has a file, and one whose memory stayed with the parent (the native default), give
// memory_error::unavailable. The parent's files are never touched by a child.
//
// Threads: const functions and refresh() are safe from any number of threads; create, update, moving, wiping and destroying
// need the object alone.
#ifndef LOCKFAST_BOOJUM_HPP
#define LOCKFAST_BOOJUM_HPP

#include <lockfast/detail/standard_library.hpp>
#include <lockfast/secret.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace lockfast {

namespace internal {
class passphrase_state;
class sealed_file;
class split_secret;
}  // namespace internal

inline namespace LOCKFAST_STANDARD_LIBRARY {

// One isolated secret in RAM.
class LOCKFAST_API ram_memory {
 public:
  struct options {};

  // Refuses with wiped where the buffer was moved away.
  [[nodiscard]] static std::expected<ram_memory, memory_error> create(buffer<std::byte> secret, options = {});

  // Holds the new value from now on, in the object that is returned; a refusal leaves this one as it was.
  [[nodiscard]] std::expected<ram_memory, memory_error> update(buffer<std::byte> next) &&;

  // A new buffer with the secret.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> unlock() const;

  // Another secret of the same value. Refuses as unlock does.
  [[nodiscard]] std::expected<ram_memory, memory_error> copy() const;

  // Forgets the secret now: every use is memory_error::wiped from here on.
  std::expected<void, memory_error> wipe();

 private:
  explicit ram_memory(buffer<std::byte> secret) : secret_(std::move(secret)) {}

  buffer<std::byte> secret_;
};

// A file of mode 0600 in a directory of ours of mode 0700, nameless where the system can; its contents are sealed by
// XChaCha20-Poly1305 under a key that is split in RAM. The file is overwritten, synced and removed when the object goes.
class LOCKFAST_API file_memory {
 public:
  // Where the file is, and how its key is split.
  struct options {
    std::string directory = {};  // its last part is created where it is missing; empty: one of the user's own for the session
    std::size_t prekey = 0;      // of the split key; as in non_contiguous_memory
  };

  // Refusals: wiped; limit_exceeded - a secret of more than 2^32 bytes, or a prekey out of its range; file_system; denied.
  [[nodiscard]] static std::expected<file_memory, memory_error> create(buffer<std::byte> secret, options);
  [[nodiscard]] static std::expected<file_memory, memory_error> create(buffer<std::byte> secret) {
    return create(std::move(secret), options());
  }

  // As ram_memory's.
  [[nodiscard]] std::expected<file_memory, memory_error> update(buffer<std::byte> next) &&;

  // A new buffer. Refusals: damaged - the file is not as it was written; file_system - it cannot be read.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> unlock() const;

  // Another secret of the same value and options, in a file of its own. Refuses as create and unlock do.
  [[nodiscard]] std::expected<file_memory, memory_error> copy() const;

  // Overwrites, syncs and removes the file; file_system when the system refuses a part of that.
  std::expected<void, memory_error> wipe();

  file_memory(file_memory&&) noexcept;
  file_memory& operator=(file_memory&&) noexcept;
  ~file_memory();

 private:
  explicit file_memory(std::shared_ptr<internal::sealed_file>);

  std::shared_ptr<internal::sealed_file> file_;
};

// Where a share lies.
enum class share_place : unsigned char { ram, file };

// When new shares are drawn.
enum class remix_policy : unsigned char {
  on_unlock,  // every unlock draws new shares, as long as the system gives random bytes
  on_demand   // only refresh(), and the refresher
};

// Whether a refresh writes the new shares over the old ones, or elsewhere.
enum class refresh_target : unsigned char { keep, change };

// A secret of any length, split. Shares 1 to n-1 are prekeys, random bytes; the last is the secret, with a tag, behind masks
// made of the hash of each prekey.
class LOCKFAST_API non_contiguous_memory {
 public:
  // Into how many shares, and where they lie.
  struct options {
    std::vector<share_place> shares = {share_place::ram, share_place::ram};  // 2 to 16
    // Bytes of each prekey: 32 to 65536. 0: 16384, or 2048 where less than 512 KiB may be locked.
    std::size_t prekey = 0;
    std::string directory = {};                                        // of the file shares, as in file_memory
    lockfast::remix_policy remix = lockfast::remix_policy::on_unlock;  // when new shares are drawn
  };

  // Refusals: wiped; limit_exceeded - counts or sizes out of their range, a secret of more than 2^32 bytes; file_system; denied.
  [[nodiscard]] static std::expected<non_contiguous_memory, memory_error> create(buffer<std::byte> secret, options);
  [[nodiscard]] static std::expected<non_contiguous_memory, memory_error> create(buffer<std::byte> secret);

  // As ram_memory's.
  [[nodiscard]] std::expected<non_contiguous_memory, memory_error> update(buffer<std::byte> next) &&;

  // Joins the shares into a new buffer, verifies it, and draws new shares. Refusals: damaged - a share was changed;
  // file_system - a share cannot be read, or the new ones cannot be written; denied; unavailable; wiped. The value stays.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> unlock() const;

  // Draws new shares; the secret is not formed, and so not verified. A refusal leaves the value whole. Refusals as unlock's.
  std::expected<void, memory_error> refresh(refresh_target where = refresh_target::keep) const;

  // Another secret of the same value and options, with shares of its own; the secret is not formed.
  [[nodiscard]] std::expected<non_contiguous_memory, memory_error> copy() const;

  // Wipes every share; file_system when the system refuses to overwrite, sync or remove a file.
  std::expected<void, memory_error> wipe();

  non_contiguous_memory(non_contiguous_memory&&) noexcept;
  non_contiguous_memory& operator=(non_contiguous_memory&&) noexcept;
  ~non_contiguous_memory();

 private:
  friend class internal::passphrase_state;  // asks whether a forked child has it
  explicit non_contiguous_memory(std::shared_ptr<internal::split_secret>);

  std::shared_ptr<internal::split_secret> split_;
};

// The thread of this process that refreshes every non_contiguous_memory, started when the first is made. Those that have a
// file are refreshed once in `file_periods` periods, for the sake of the disk.
class LOCKFAST_API refresher {
 public:
  static constexpr std::chrono::milliseconds default_period{1000};  // between two rounds
  static constexpr unsigned file_periods = 60;                      // rounds between two refreshes of a secret that has a file

  // Starts it, if it is not running. Refuses: denied - the system gives no thread.
  static std::expected<void, memory_error> start();

  // Stops it and keeps it stopped until start() is called; returns when it works on no secret any more. In a function that it calls
  // itself, passphrase::options::on_expiry say, it returns at once, and the refresher ends the round.
  static void stop();

  // Whether the thread runs.
  [[nodiscard]] static bool running();

  // From the next round on; a millisecond at least, a hundred years at most.
  static void period(std::chrono::milliseconds between_rounds);
  [[nodiscard]] static std::chrono::milliseconds period();

  // Rounds since the process, or this child, began.
  [[nodiscard]] static std::uint64_t rounds();
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
