// vault_handles.hpp - what names something of a vault or of its file: the hold of a file, its key, an owner of a record, the range of all
// ids, the hash of an id.
// Included by vault.hpp.
//
// Threads: each belongs to one thread at a time.
#ifndef LOCKFAST_DETAIL_VAULT_HANDLES_HPP
#define LOCKFAST_DETAIL_VAULT_HANDLES_HPP

#include <lockfast/vault.hpp>

#include <iterator>
#include <utility>

namespace lockfast {
inline namespace LOCKFAST_STANDARD_LIBRARY {

// Keeps other programs from saving to a path, for as long as it lives.
//
//    auto held = vault::file_hold::acquire(path);
//    auto records = vault::load(path, phrase);
//    ... records->insert(...) ...
//    auto saved = records->save(path, phrase, {.hold = &*held});
class LOCKFAST_API vault::file_hold {
 public:
  // Takes hold of a path, whether there is a file or not. A forked child does not have it. Refusals: busy - another process or
  // vault has it; file_system; unsupported - the file system has no locks.
  [[nodiscard]] static std::expected<file_hold, memory_error> acquire(const std::string& path);

  file_hold(file_hold&&) noexcept;
  file_hold& operator=(file_hold&&) noexcept;
  ~file_hold();

 private:
  friend class vault;
  explicit file_hold(std::unique_ptr<internal::name_hold>&& held);

  std::unique_ptr<internal::name_hold> held_;
};

// What a saved vault is sealed under: a passphrase, or key material of 16 bytes or more that nobody can guess, of a KMS, a TPM or
// another vault.
class vault::key_source {
 public:
  // Requires that the passphrase, or the buffer, outlives the call.
  key_source(const passphrase& phrase) : phrase_(&phrase) {}
  key_source(const buffer<std::byte>& key) : key_(&key) {}
  // Null if it is a key.
  [[nodiscard]] const passphrase* phrase() const { return phrase_; }
  // Null if it is a passphrase.
  [[nodiscard]] const buffer<std::byte>* key() const { return key_; }

 private:
  const passphrase* phrase_ = nullptr;
  const buffer<std::byte>* key_ = nullptr;
};

// Erases its record when it goes.
//
//    const auto session_key = records.own(*records.insert(*buffer<std::byte>::random(32)));
//    records.use(session_key.which(), [](std::span<const std::byte> bytes) { ... });
//
// Does nothing once its vault is gone. The watcher of a save, which can change nothing, must let none go: its record would stay.
class LOCKFAST_API vault::owner {
 public:
  owner() = default;
  ~owner() { reset(); }
  owner(owner&& other) noexcept : of_(std::move(other.of_)), which_(std::exchange(other.which_, id())) {}
  owner& operator=(owner&& other) noexcept {
    if (this != &other) {
      reset();
      of_ = std::move(other.of_);
      which_ = std::exchange(other.which_, id());
    }
    return *this;
  }

  // id() where there is none.
  [[nodiscard]] id which() const { return which_; }
  // The record stays.
  id release() { return std::exchange(which_, id()); }
  // Erases the record now.
  void reset();

 private:
  friend class vault;
  owner(const std::shared_ptr<internal::vault_state>& of, id which) : of_(of), which_(which) {}

  std::weak_ptr<internal::vault_state> of_;
  id which_;
};

// The ids of the records; one that comes or goes meanwhile may be met or not.
class LOCKFAST_API vault::id_range {
 public:
  // An input iterator over ids.
  class iterator {
   public:
    using value_type = id;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    // As every input iterator's.
    [[nodiscard]] id operator*() const { return at_; }
    iterator& operator++() {
      at_ = next(of_, at_);
      return *this;
    }
    // As every input iterator's.
    iterator operator++(int) {
      const iterator before = *this;
      ++*this;
      return before;
    }
    // Whether it is at the end, or at the same id.
    [[nodiscard]] bool operator==(std::default_sentinel_t) const { return at_ == id(); }
    [[nodiscard]] bool operator==(const iterator& other) const { return at_ == other.at_; }

   private:
    friend class id_range;
    iterator(const internal::vault_state* of, id at) : of_(of), at_(at) {}
    const internal::vault_state* of_ = nullptr;
    id at_;
  };
  // From the first id to the last one.
  [[nodiscard]] iterator begin() const { return {of_, next(of_, id())}; }
  [[nodiscard]] static std::default_sentinel_t end() { return std::default_sentinel; }

 private:
  friend class vault;
  explicit id_range(const internal::vault_state* of) : of_(of) {}
  // The id behind one; the first behind id(), and id() behind the last.
  [[nodiscard]] static id next(const internal::vault_state* of, id behind);

  const internal::vault_state* of_;
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

template <>
struct std::hash<lockfast::vault::id> {
  std::size_t operator()(lockfast::vault::id one) const noexcept { return std::hash<std::uint64_t>()(one.value()); }
};

#endif
