// vault.hpp - a vault: a million secrets, sealed in ordinary memory, each opened for as long as it is looked at.
//
//    lockfast::vault records;
//    auto id = records.insert(*lockfast::buffer<std::byte>::random(32));     // std::expected<vault::id, memory_error>
//    { auto view = records.open(*id); use(view->data(), view->size()); }     // sealed again when the view goes
//    records.use({ids}, [](vault::spans secrets) { ... });                   // many at once, for one opening of the key
//    auto saved = records.save("records.vault", phrase);
//
// A record is sealed by XChaCha20-Poly1305 under the vault's key, which is split while it rests. What binds it is the vault's identity,
// the record's id and its version: a record that was moved, changed or put back from before is memory_error::damaged. It takes at most
// 64 bytes over its own size. An opened record lies in an isolated block that can only be read, and is wiped when the last view of it
// goes; a few that were opened lately stay, at rest without access, so that opening them again costs no cipher (options::hot_records).
//
// Every function refuses by memory_error; all that touch records refuse with
//    denied        the system or the policy gave no memory, lock or access
//    damaged       a record or the key is not what it was
//    locked        the vault was locked, until unlock()
//    expired       the vault locked because a time had passed, or its passphrase had expired
//    unavailable   in a forked child whose parent kept the key (fork=absent, fork=wipe)
//    wiped         the vault was moved away, or there was no memory to make it
//    busy          a change was asked for by the function that watches a save
// A refusal leaves the vault as it was.
//
// Threads: every function is safe from any number of threads, but moving, assigning and destroying, which need the vault
// alone. Readers wait for each other only while bytes are copied or the key is joined, for all of them; changes wait while
// the vault is saved or its key is changed.
#ifndef LOCKFAST_VAULT_HPP
#define LOCKFAST_VAULT_HPP

#include <lockfast/detail/standard_library.hpp>
#include <lockfast/memory_error.hpp>
#include <lockfast/secret.hpp>

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lockfast {

namespace internal {
class vault_lock;
class vault_state;
class name_hold;
}  // namespace internal

inline namespace LOCKFAST_STANDARD_LIBRARY {

class passphrase;

class LOCKFAST_API vault {
 public:
  // Names a record of one vault; no other record of it ever has the same. A vault that is loaded from a file knows the ids of
  // the save, not those given out since: it may give those out again, to other records. It is no secret.
  class id {
   public:
    constexpr id() = default;
    // For a number that value() gave.
    constexpr explicit id(std::uint64_t value) : value_(value) {}
    [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
    friend constexpr auto operator<=>(id, id) = default;

   private:
    std::uint64_t value_ = 0;
  };

  // One opened record, for as long as it lives.
  class view;
  // Erases its record when it goes.
  class owner;
  // Several opened records; one block holds them all.
  class views;
  // Keeps other programs from saving to a path, for as long as it lives.
  class file_hold;
  // What a saved vault is sealed under. It must outlive the call that takes it.
  class key_source;
  // What a function that uses several records is given: each record's bytes, in the order of the ids.
  using spans = std::span<const std::span<const std::byte>>;

  // How many records stay open, and how old a key grows.
  struct options {
    std::size_t hot_records = 16;  // how many opened records stay cached; 0 for none
    // After this long, 100 years at most, the calls that open the key seal every record anew, some records with each call. A
    // step that is refused is tried again after a pause of 1 s, which doubles up to 1 h. 0 for never.
    std::chrono::seconds key_age = std::chrono::hours(24);
    // How long an opened key stays whole in locked memory, counted from its opening, so that the calls that follow need not open it:
    // 10 ms at most. 0 for no longer than the calls that use it, as while the refresher is stopped.
    std::chrono::milliseconds key_lease = std::chrono::milliseconds(10);
  };

  // An empty vault. If there is no memory for it, every use is memory_error::wiped.
  vault();
  explicit vault(const options& chosen);
  ~vault();
  vault(vault&&) noexcept;
  vault& operator=(vault&&) noexcept;

  // ---- Records ------------------------------------------------------------------------------------------------------

  // Seals a secret as a new record; the buffer is gone when that succeeds. Refusals: limit_exceeded - more than
  // 2^31 - 1 bytes, or no room.
  [[nodiscard]] std::expected<id, memory_error> insert(buffer<std::byte>&& secret);
  [[nodiscard]] std::expected<id, memory_error> insert(const buffer<std::byte>& secret);
  // All of them, or none, for one opening of the key; an id of none is id(). Requires as many ids as secrets. Refusals:
  // zero_size - an empty secret; limit_exceeded.
  [[nodiscard]] std::expected<void, memory_error> insert(spans secrets, std::span<id> ids);

  // Seals another secret in the place of a record's. Refusals: not_found; limit_exceeded - as for insert, or 2^32 versions under one
  // key.
  [[nodiscard]] std::expected<void, memory_error> replace(id which, buffer<std::byte>&& secret);
  [[nodiscard]] std::expected<void, memory_error> replace(id which, const buffer<std::byte>& secret);

  // Erases a record. Views of it stay as they are. Refusals: not_found.
  std::expected<void, memory_error> erase(id which);
  // Erases all of them.
  std::expected<void, memory_error> clear();

  // An id for a record that comes later: not_found until it is filled. Erasing it gives it back. A saved vault leaves reserved ids
  // out; a loaded one does not give them out to others.
  [[nodiscard]] std::expected<id, memory_error> reserve();
  // Fills a reserved id. Refusals: not_found - it is not reserved, or was filled already; and those of insert.
  [[nodiscard]] std::expected<void, memory_error> fill(id reserved, buffer<std::byte>&& secret);
  [[nodiscard]] std::expected<void, memory_error> fill(id reserved, const buffer<std::byte>& secret);

  // An owner of a record, or of a reserved id.
  [[nodiscard]] owner own(id which);

  // ---- Records made within ------------------------------------------------------------------------------------------

  // A record of random bytes, which nobody has seen. Refusals: zero_size; limit_exceeded - as for insert.
  [[nodiscard]] std::expected<id, memory_error> insert_random(std::size_t size);

  // How a record follows from another. procedures.hpp says what else can be done with one.
  struct derivation {
    // The function that makes the new record.
    enum class by : unsigned char {
      hkdf_sha256,  // RFC 5869: up to 8,160 bytes
      hmac_sha256,  // of info: up to 32 bytes
      blake2b       // keyed (RFC 7693), of info: up to 64 bytes, from a record of 64 bytes at most
    };
    by function = by::hkdf_sha256;         // how
    std::span<const std::byte> info = {};  // what the new record is for
    std::span<const std::byte> salt = {};  // of HKDF
  };
  // A new record of size bytes; computed in locked memory. Refusals: not_found; limit_exceeded - more than the function gives, or
  // too long a key.
  [[nodiscard]] std::expected<id, memory_error> derive(id from, const derivation& how, std::size_t size);
  // The same by a function of the program's, which fills the new record in locked memory: fill(record, new record). Its refusal is
  // passed on.
  using deriving = std::function<std::expected<void, memory_error>(std::span<const std::byte>, std::span<std::byte>)>;
  [[nodiscard]] std::expected<id, memory_error> derive_by(id from, std::size_t size, const deriving& fill);

  // ---- Names and labels ---------------------------------------------------------------------------------------------

  // A name is at most 65,535 bytes of any value, and belongs to one record; a label is as many, and need not be the only one. Both
  // are sealed as records are, and plain in locked memory alone.

  // Seals a secret as a record with a name. Refusals: name_taken; zero_size - an empty name; limit_exceeded.
  [[nodiscard]] std::expected<id, memory_error> insert(std::string_view name, buffer<std::byte>&& secret);
  [[nodiscard]] std::expected<id, memory_error> insert(std::string_view name, const buffer<std::byte>& secret);
  // Gives a record, or a reserved id, a name in the place of the one that it had; "" takes it away. Refusals: not_found;
  // name_taken.
  [[nodiscard]] std::expected<void, memory_error> rename(id which, std::string_view name);
  // Gives it a label in the place of the one that it had; "" takes it away. Refusals: not_found.
  [[nodiscard]] std::expected<void, memory_error> relabel(id which, std::string_view label);

  // The record of a name, by a keyed hash: it opens that description, and no other. Refusals: not_found.
  [[nodiscard]] std::expected<id, memory_error> find(std::string_view name) const;
  // The name of a record. Refusals: not_found - it has none.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> name_of(id which) const;
  // The label of a record. Refusals: not_found - it has none.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> label_of(id which) const;

  // A record with its name and its label.
  struct description {
    id which;                // the record
    std::string_view name;   // in locked memory, until the call returns
    std::string_view label;  // the same; either may be empty
  };
  // Calls look for each record that has a name or a label, in no order that means anything. It may call the vault.
  [[nodiscard]] std::expected<void, memory_error> for_each_described(const std::function<void(const description&)>& look) const;

  // ---- Opening ------------------------------------------------------------------------------------------------------

  // Opens a record. Refusals: not_found.
  [[nodiscard]] std::expected<view, memory_error> open(id which) const;
  // Opens several records, and the key once for all of them. Refusals: not_found - one is not there.
  [[nodiscard]] std::expected<views, memory_error> open(std::span<const id> which) const;

  // Calls function(std::span<const std::byte>) with the record, and gives what it gives, in one std::expected: a refusal
  // of the function's own is passed on, not nested.
  template <class Function>
  auto use(id which, Function&& function) const
      -> detail::as_expected<std::invoke_result_t<Function, std::span<const std::byte>>>::type;
  // Calls function(spans) with all of them.
  template <class Function>
  auto use(std::span<const id> which, Function&& function) const
      -> detail::as_expected<std::invoke_result_t<Function, spans>>::type;

  // ---- Locking ------------------------------------------------------------------------------------------------------

  // A locked vault opens and seals nothing until its passphrase is given: locked, or expired where time has locked it. Erasing and
  // asking for ids and sizes go on. Views that are there stay.

  // When it locks, and what unlocking costs.
  struct lock_options {
    // Locks that long after the end of the latest use; a view is a use for as long as it lives, a save is none. None: never; a
    // hundred years at most; not negative. So is the lifetime. Both count the time while the machine sleeps.
    std::chrono::milliseconds idle{0};
    // Locks that long after it was unlocked, however often it is used.
    std::chrono::milliseconds lifetime{0};
    // Called once each time it locks, by the thread that notices: the refresher's, or one that calls the vault. It must
    // not throw, nor destroy the vault. A vault that is gone calls it no more, but a call that has begun may still be running.
    std::function<void()> on_lock = nullptr;
    unsigned cost = 17;  // of the key that unlocks: log2 of scrypt's N, 10 to 20
  };
  // From now on this passphrase unlocks the vault. It locks by lock(), as the options say, and when the passphrase expires.
  [[nodiscard]] std::expected<void, memory_error> lock_with(const passphrase& phrase);
  [[nodiscard]] std::expected<void, memory_error> lock_with(const passphrase& phrase, const lock_options& chosen);
  // Locks it; returns when the keys are sealed. Refusals: unavailable - no passphrase unlocks it; denied - they are sealed later.
  std::expected<void, memory_error> lock();
  // Unlocks it. Of a vault that is not locked it verifies the passphrase, and starts its times again. From then on this
  // passphrase's expiry counts. Refusals: wrong_passphrase; unavailable.
  [[nodiscard]] std::expected<void, memory_error> unlock(const passphrase& phrase);
  // Whether it is locked.
  [[nodiscard]] bool locked() const;

  // ---- Queries ------------------------------------------------------------------------------------------------------

  // Records; 0 once it was moved away.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool contains(id which) const;
  // Bytes of a record. Refusals: not_found.
  [[nodiscard]] std::expected<std::size_t, memory_error> size_of(id which) const;

  // The ids of the records, in no order that means anything. Records may come and go meanwhile: one that is there all the
  // while is met once.
  class id_range;
  [[nodiscard]] id_range ids() const;

  // Bytes of ordinary memory that hold the sealed records and their index.
  [[nodiscard]] std::uint64_t footprint() const;

  // ---- The key ------------------------------------------------------------------------------------------------------

  // Seals every record anew under a fresh key. Readers go on. Records are moved from the old key to the new one, one by one, in
  // locked memory; when one of them refuses, each record is still whole under the key that it is sealed under, and the next
  // call goes on from there. A damaged record stays damaged and is told of at the end, each time.
  std::expected<void, memory_error> rekey();
  // How long the present key has been in use.
  [[nodiscard]] std::chrono::steady_clock::duration key_age() const;

  // ---- Files --------------------------------------------------------------------------------------------------------

  // How far a save or load has come, in records. A save knows how many there are.
  struct progress {
    std::uint64_t done;  // records
    std::uint64_t all;   // records
  };
  // Called now and then; gives false to have it stop, with memory_error::cancelled.
  using watcher = std::function<bool(const progress&)>;

  // How a passphrase, or key material, becomes a file's key.
  enum class kdf : std::uint32_t {
    scrypt = 1,    // RFC 7914
    argon2id = 2,  // RFC 9106; needs libcrypto 3.2 or newer
    raw_key = 3,   // there is no passphrase: a key_source of key material
  };
  // What is recommended today: OWASP's Password Storage Cheat Sheet for scrypt (N = 2^17, r = 8, p = 1), the second recommendation
  // of RFC 9106 for Argon2id (64 MiB, 3 passes, 4 lanes). Memory is 2^cost KiB: 128 MiB and 64 MiB.
  static constexpr unsigned default_scrypt_cost = 17;    // 128 MiB
  static constexpr unsigned default_argon2id_cost = 16;  // 64 MiB

  // Whose place a save may take.
  enum class replaces : unsigned char {
    own_file,  // the file that this vault loaded, or saved last, at that path; an empty file; none
    any_file,  // whatever the file is
  };

  // What a save costs, watches and replaces.
  struct save_options {
    // log2 of the memory that the key takes, in KiB: 10 to 20. Without a value: that of the file that was loaded or saved last,
    // otherwise what is recommended.
    std::optional<unsigned> cost = std::nullopt;
    watcher watch = nullptr;                     // told how far it is
    std::optional<kdf> function = std::nullopt;  // without a value: as for the cost
    replaces over = replaces::own_file;          // what may be at the path
    const file_hold* hold = nullptr;             // of the same path, if the caller has one
  };
  // What a load accepts.
  struct load_options {
    options vault = {};  // of the vault that is made
    // outdated for a file of fewer saves: keep saves() where it cannot be put back together with the file.
    std::uint64_t min_saves = 0;
    // The most that a file may ask for the stretching: limit_exceeded beyond it. 2^20 is 1 GiB of memory.
    unsigned max_cost = 20;
    watcher watch = nullptr;  // told how far it is
    // Without a value: a vault that was loaded under a passphrase which expires locks with it, and others do not lock.
    std::optional<lock_options> lock = std::nullopt;
  };

  // Writes all records to a file of mode 0600, sealed under the passphrase (docs/vault.md), which takes the place of what was
  // there at once, when it is whole and on the disk. The key is derived first; changes wait only while the records are written.
  // Refusals: outdated - the file is not the one that was loaded or saved last: somebody else saved there; busy - somebody
  // else saves there now, or holds the file; file_system - a symbolic link at the path, too; cancelled; expired - the passphrase;
  // unsupported - libcrypto has no such function; unavailable - the watcher has forked, and this is the child.
  [[nodiscard]] std::expected<void, memory_error> save(const std::string& path, const key_source& key);
  [[nodiscard]] std::expected<void, memory_error> save(const std::string& path, const key_source& key,
                                                       const save_options& chosen);

  // A vault of the same identity, ids and records. Refusals: not_found; file_system; unsupported - another version of the format,
  // or libcrypto has no such function; wrong_passphrase - or another key, or a changed header; damaged; limit_exceeded - by the
  // options; outdated - by the options; cancelled - by the options; unavailable - as for save.
  [[nodiscard]] static std::expected<vault, memory_error> load(const std::string& path, const key_source& key);
  [[nodiscard]] static std::expected<vault, memory_error> load(const std::string& path, const key_source& key,
                                                               const load_options& chosen);

  // The same, to and from memory; what they give and take is what a file has, sealed. A save to memory looks at no file that is
  // there, and leaves `over` and `hold` out.
  [[nodiscard]] std::expected<std::vector<std::byte>, memory_error> save_to_memory(const key_source& key) const;
  [[nodiscard]] std::expected<std::vector<std::byte>, memory_error> save_to_memory(const key_source& key,
                                                                                   const save_options& chosen) const;
  [[nodiscard]] static std::expected<vault, memory_error> load_from_memory(std::span<const std::byte> saved,
                                                                           const key_source& key);
  [[nodiscard]] static std::expected<vault, memory_error> load_from_memory(std::span<const std::byte> saved,
                                                                           const key_source& key, const load_options& chosen);

  // ---- Between vaults -----------------------------------------------------------------------------------------------

  // A new vault with copies of some records, their names and labels; to save it is to export them. Its ids are others: made, if it is
  // not empty, is filled with them in the same order. Requires that made is empty, or of the size of which. Refusals: not_found.
  [[nodiscard]] std::expected<vault, memory_error> extract(std::span<const id> which, std::span<id> made = {}) const;

  // What becomes of a record whose name a record here has.
  enum class same_name : unsigned char {
    refuse,   // name_taken, and nothing is merged
    keep,     // it is left out
    replace,  // its secret and its label take the place of those here, under the id that is here
  };
  // How many records a merge touched.
  struct merged {
    std::size_t added = 0;     // under new ids
    std::size_t replaced = 0;  // under the ids that were here
    std::size_t kept = 0;      // left out
  };
  // Copies all records of another vault, under new ids: those without a name always, the others by the policy. A refusal takes back
  // what was added; what was replaced by then stays replaced.
  [[nodiscard]] std::expected<merged, memory_error> merge(const vault& from, same_name policy = same_name::refuse);

  // What a file says of itself. Nothing has verified it: that takes the passphrase.
  struct file_description {
    std::uint32_t format;                // the version of the format
    kdf function;                        // what makes its key
    std::uint32_t cost;                  // as in save_options
    std::uint32_t block;                 // scrypt's r, or the passes of Argon2id
    std::uint32_t parallel;              // scrypt's p, or the lanes of Argon2id
    std::array<std::byte, 16> identity;  // of the vault
    std::uint64_t saves;                 // how often it was saved
    std::uint64_t records;               // how many it has
  };
  // Reads what a file says of itself. Refusals: not_found; file_system; unsupported; damaged.
  [[nodiscard]] static std::expected<file_description, memory_error> inspect(const std::string& path);

  // How often it was saved, by this vault and the one that it was loaded from; the number that the latest file has. A save that
  // fails at its very end counts as well.
  [[nodiscard]] std::uint64_t saves() const;

  // Drawn at random when the vault was made; a loaded one has that of the one saved. Tells files under one passphrase apart. All
  // zeros once the vault was moved away.
  [[nodiscard]] std::array<std::byte, 16> identity() const;

 private:
  explicit vault(std::unique_ptr<internal::vault_state>&& state);

  class lock_use;

  // A use that has begun. locked, expired; wiped.
  [[nodiscard]] std::expected<lock_use, memory_error> begin_use() const;

  std::shared_ptr<internal::vault_state> state_;  // shared with owners, who do not keep it
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#include <lockfast/detail/vault_handles.hpp>
#include <lockfast/detail/vault_views.hpp>

#endif
