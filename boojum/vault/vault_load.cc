// vault_load.cc - the records of a file, a few at a time through locked memory, into a new vault.
//
// Whatever the file says, no more memory is taken than its own size accounts for: a slot of 8 bytes has 16 in the index, a
// record its own size.
#include <array>
#include <limits>
#include <new>
#include <utility>

#include "boojum/memory/error_note.h"
#include "boojum/files/named_file.h"
#include "boojum/memory/locked_buffer.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/vault/file_io.h"
#include "boojum/vault/saved_names.h"

namespace lockfast::internal {
namespace {

using result = std::expected<void, memory_error>;

class record_loader {
 public:
  record_loader(vault_state& into, vault_state::session& with, chunk_reader& from, const vault::watcher& watch,
                const vault_file_header& header)
      : into_(into), with_(with), from_(from), watch_(watch), format_(header.format), all_(header.records) {}

  result run() {
    for (std::size_t number = 0; number < vault_state::shard_count; ++number) {
      const auto slots = number_behind();
      if (!slots) return std::unexpected(slots.error());
      if (format_ != 1) {
        const auto floor = number_behind();
        if (!floor) return std::unexpected(floor.error());
        into_.shard(number).set_floor(*floor);
      }
      for (std::uint32_t slot = 0; slot < *slots; ++slot) {
        if (auto done = one_slot(number); !done) return done;
      }
    }
    if (auto done = admit_waiting(); !done) return done;
    if (done_ != all_) return std::unexpected(memory_error::damaged);
    if (format_ != 1) {
      if (auto done = read_names(from_, into_); !done) return done;
    }
    if (auto done = from_.end(); !done) return done;
    return tell();
  }

 private:
  result one_slot(std::size_t number) {
    const auto generation = number_behind();
    if (!generation) return std::unexpected(generation.error());
    const auto size = number_behind();
    if (!size) return std::unexpected(size.error());
    if (*size == 0) return into_.shard(number).append_free(*generation);
    if (*generation == 0 || *size > sealed_shard::max_size || *size > from_.rest() || done_ == all_) {
      return std::unexpected(memory_error::damaged);
    }
    const auto reserved = into_.shard(number).append_reserved(*generation);
    if (!reserved) return std::unexpected(reserved.error());
    if (auto done = record({number, *reserved}, *size); !done) return done;
    return ++done_ % told_every == 0 ? tell() : result();
  }

  std::expected<std::uint32_t, memory_error> number_behind() {
    if (auto done = make_way(sizeof(std::uint32_t)); !done) return std::unexpected(done.error());
    return from_.take_number();
  }

  result record(const vault_state::location& where, std::size_t size) {
    if (auto done = make_way(size); !done) return done;
    if (const auto secret = from_.take_in_place(size); !secret.empty()) return wait(where, secret);
    const auto room = plain_.of(size);
    if (room.empty()) return std::unexpected(memory_error::denied);
    auto done = from_.take(room);
    if (done) done = into_.admit(with_, where, room);
    lockfast_wipe(room.data(), room.size());
    return done;
  }

  // Records wait in the chunk until there is a batch of them, or the next chunk is to take its place.
  result wait(const vault_state::location& where, std::span<const std::byte> secret) {
    vault_state::passing_record& next = waiting_[waiting_count_];
    next.where = where;
    next.from = secret;
    return ++waiting_count_ == waiting_.size() ? admit_waiting() : result();
  }

  result make_way(std::size_t size) { return from_.left() < size ? admit_waiting() : result(); }

  result admit_waiting() { return into_.admit(with_, std::span(waiting_).first(std::exchange(waiting_count_, 0))); }

  result tell() { return internal::tell(watch_, {done_, all_}); }

  static constexpr std::uint64_t told_every = 4096;  // records

  vault_state& into_;
  vault_state::session& with_;
  chunk_reader& from_;
  const vault::watcher& watch_;
  locked_buffer plain_;
  std::array<vault_state::passing_record, vault_state::batch_size> waiting_;
  std::size_t waiting_count_ = 0;
  std::uint32_t format_;
  std::uint64_t done_ = 0;
  std::uint64_t all_;
};

// Memory and time of the stretching grow with the product of its three parameters.
bool asks_too_much(const stretching& key, unsigned max_cost) {
  if (key.function == vault::kdf::raw_key) return false;
  constexpr std::uint32_t max_block = 64;
  constexpr std::uint32_t max_parallel = 64;
  constexpr unsigned max_work = 30;
  if (key.cost > max_work || key.block > max_block || key.parallel > max_parallel) return true;
  const std::uint64_t most = std::uint64_t{1024} << std::min(max_cost, max_work);
  const std::uint64_t memory = std::uint64_t{1024} << key.cost;
  // Argon2id fills the same memory once for each pass; scrypt at r = 8 passes over it twice.
  if (key.function == vault::kdf::argon2id) return memory > most || key.block > 16;
  return memory / 8 * key.block * key.parallel > most;
}

bool makes_no_sense(const vault_file_header& header) {
  const stretching& key = header.key;
  if (header.saves == 0) return true;
  if (key.function == vault::kdf::raw_key) return key.cost != 0 || key.block != 0 || key.parallel != 0;
  return key.cost == 0 || key.block == 0 || key.parallel == 0;
}

// A refusal of what is in a file.
std::unexpected<memory_error> refused_contents(memory_error reason, const char* path) {
  switch (reason) {
    case memory_error::wrong_passphrase:
      return refused_because(reason, path,
                             "the passphrase is wrong, or the header of the file was changed: type it again, or load a copy");
    case memory_error::damaged:
      return refused_because(reason, path, "the file was changed, cut or lengthened after it was saved: load a copy");
    default: return std::unexpected(reason);
  }
}

std::expected<std::unique_ptr<vault_state>, memory_error> load_or_throw(const chunk_place& from_place, std::uint64_t size,
                                                                        const char* path, const file_key_maker& make_key,
                                                                        const vault::load_options& chosen) {
  const auto read = read_header(from_place, size, path);
  if (!read) return std::unexpected(read.error());
  const auto& [header, stored] = *read;
  if (makes_no_sense(header)) return refused_contents(memory_error::damaged, path);
  if (asks_too_much(header.key, chosen.max_cost)) {
    return refused_because(
        memory_error::limit_exceeded, path,
        "its key costs more than the load allows: %u, block %u, parallel %u, where max_cost is %u: raise it if "
        "you trust the file",
        header.key.cost, header.key.block, header.key.parallel, chosen.max_cost);
  }

  file_key key;
  if (auto made = key.make(make_key, header); !made) return std::unexpected(made.error());
  chunk_reader from(from_place, header, stored, path);
  if (auto done = from.begin(key.view(), size); !done) return refused_contents(done.error(), path);
  if (header.saves < chosen.min_saves) {
    return refused_because(memory_error::outdated, path,
                           "the file has %llu saves, and the caller accepts no fewer than %llu: it is an older copy",
                           static_cast<unsigned long long>(header.saves), static_cast<unsigned long long>(chosen.min_saves));
  }

  std::unique_ptr<vault_state> into(new (std::nothrow) vault_state(chosen.vault, header.identity, header.saves));
  if (into == nullptr) return std::unexpected(memory_error::denied);
  auto keys = into->keys();
  if (!keys) return std::unexpected(keys.error());
  vault_state::session with(*into, std::move(*keys));
  if (auto done = record_loader(*into, with, from, chosen.watch, header).run(); !done) {
    return refused_contents(done.error(), path);
  }
  into->history().settle(path == nullptr ? std::string() : path, header.once, header.key);
  return into;
}

}  // namespace

std::expected<std::unique_ptr<vault_state>, memory_error> load_vault(const std::string& path, const file_key_maker& make_key,
                                                                     const vault::load_options& chosen) {
  return catch_bad_alloc([&]() -> std::expected<std::unique_ptr<vault_state>, memory_error> {
    const auto found = file_reader::open(path);
    if (!found) return std::unexpected(found.error());
    return load_or_throw(found->opened(), found->size(), path.c_str(), make_key, chosen);
  });
}

std::expected<std::unique_ptr<vault_state>, memory_error> load_vault(std::span<const std::byte> saved,
                                                                     const file_key_maker& make_key,
                                                                     const vault::load_options& chosen) {
  return catch_bad_alloc([&] { return load_or_throw(chunk_place(saved), saved.size(), nullptr, make_key, chosen); });
}

}  // namespace lockfast::internal
