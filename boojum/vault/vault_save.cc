// vault_save.cc - the records of a vault, a few at a time through locked memory, into a file that then takes its name.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "boojum/crypto/drawn.h"
#include "boojum/memory/error_note.h"
#include "boojum/memory/lock_budget.h"
#include "boojum/files/named_file.h"
#include "boojum/memory/locked_buffer.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/vault/file_io.h"
#include "boojum/vault/saved_names.h"

namespace lockfast::internal {
namespace {

using result = std::expected<void, memory_error>;

class record_writer {
 public:
  record_writer(vault_state& from, vault_state::session& with, chunk_writer& into, const vault::watcher& watch)
      : from_(from), with_(with), into_(into), watch_(watch), all_(from.size()) {}

  result run() {
    for (std::size_t number = 0; number < vault_state::shard_count; ++number) {
      if (auto done = shard(number); !done) return done;
    }
    if (auto done = open_waiting(); !done) return done;
    if (auto done = write_names(from_, into_); !done) return done;
    if (auto done = tell(); !done) return done;
    return into_.end();
  }

 private:
  result shard(std::size_t number) {
    sealed_shard& one = from_.shard(number);
    one.trim();
    const std::uint32_t slots = one.slot_count();
    if (auto done = put(slots, one.floor()); !done) return done;
    std::uint32_t slot = 0;
    for (auto live = one.next_live(0); live; live = one.next_live(slot)) {
      for (; slot < live->at.slot; ++slot) {
        if (auto done = free_slot(one, slot); !done) return done;
      }
      if (auto done = record({number, live->at}, live->state.size); !done) return done;
      ++slot;
    }
    for (; slot < slots; ++slot) {
      if (auto done = free_slot(one, slot); !done) return done;
    }
    return {};
  }

  result free_slot(const sealed_shard& of, std::uint32_t slot) { return put(of.generation_of(slot), 0); }

  result put(std::uint32_t first, std::uint32_t second) {
    if (auto done = make_room(sizeof first + sizeof second); !done) return done;
    if (auto done = into_.put(first); !done) return done;
    return into_.put(second);
  }

  result record(const vault_state::location& where, std::uint32_t size) {
    if (auto done = put(where.at.generation, size); !done) return done;
    if (auto done = bytes(where, size); !done) return done;
    return ++done_ % told_every == 0 ? tell() : result();
  }

  result bytes(const vault_state::location& where, std::size_t size) {
    if (auto done = make_room(size); !done) return done;
    if (const auto room = into_.room(size); !room.empty()) return wait(where, room);
    const auto room = plain_.of(size);
    if (room.empty()) return std::unexpected(memory_error::denied);
    const auto opened = with_.open(where, room);
    if (!opened) return std::unexpected(opened.error());
    auto done = into_.put(room);
    lockfast_wipe(room.data(), room.size());
    return done;
  }

  // Records wait in the chunk, still sealed, until there is a batch of them, or the chunk is to go.
  result wait(const vault_state::location& where, std::span<std::byte> room) {
    vault_state::passing_record& next = waiting_[waiting_count_];
    const auto found = from_.shard(where.shard).read(where.at, next.head, room);
    if (!found || found->size != room.size()) return std::unexpected(memory_error::damaged);
    next.where = where;
    next.state = *found;
    next.from = room;
    next.to = room.data();
    return ++waiting_count_ == waiting_.size() ? open_waiting() : result();
  }

  result make_room(std::size_t size) { return into_.left() < size ? open_waiting() : result(); }

  result open_waiting() { return with_.open_read(std::span(waiting_).first(std::exchange(waiting_count_, 0))); }

  result tell() { return internal::tell(watch_, {done_, all_}); }

  static constexpr std::uint64_t told_every = 4096;  // records

  vault_state& from_;
  vault_state::session& with_;
  chunk_writer& into_;
  std::array<vault_state::passing_record, vault_state::batch_size> waiting_;
  std::size_t waiting_count_ = 0;
  const vault::watcher& watch_;
  locked_buffer plain_;
  std::uint64_t done_ = 0;
  std::uint64_t all_;
};

class gate_closed {
 public:
  explicit gate_closed(change_gate& gate) : gate_(gate), closed_(gate.close()) {}
  ~gate_closed() {
    if (closed_) gate_.open();
  }
  gate_closed(const gate_closed&) = delete;
  gate_closed& operator=(const gate_closed&) = delete;
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  change_gate& gate_;
  bool closed_;
};

// The part of a header that the key follows from.
std::expected<vault_file_header, memory_error> header_for(const vault_state& from, const stretching& key) {
  vault_file_header header = {.key = key, .identity = from.identity()};
  if (auto drawn = draw_bytes(header.salt); !drawn) return std::unexpected(drawn.error());
  const auto once = draw_nonce();
  if (!once) return std::unexpected(once.error());
  std::copy_n(once->begin(), header.once.size(), header.once.begin());
  return header;
}

// Whether a save may take the place of what has the name now. Requires that nobody else saves there meanwhile.
result may_replace(const named_place& place, const vault_state& from, vault::replaces over) {
  const auto found = file_reader::open(place);
  if (!found && found.error() == memory_error::not_found) {
    forget_note();
    return {};
  }
  if (!found) return std::unexpected(found.error());
  if (found->size() == 0 || over == vault::replaces::any_file) return {};
  const auto header = read_header(found->opened(), found->size(), place.path().c_str());
  if (header && from.history().knows(header->first.once)) return {};
  if (!header && header.error() == memory_error::file_system) return std::unexpected(header.error());
  forget_note();  // of what the file is; here it matters what it is not
  return refused_because(
      memory_error::outdated, place.path().c_str(),
      header ? "it is not the file that this vault loaded or saved last there: load it and repeat the change, or "
               "save with replaces::any_file"
             : "another file is there, no vault that this version reads: save elsewhere, or with "
               "replaces::any_file");
}

// A hold of the path for this save, where the caller has none and the file system has locks.
std::expected<std::optional<name_hold>, memory_error> hold_for(const std::string& path, const name_hold* of_caller) {
  if (of_caller != nullptr && of_caller->is_held()) {
    const auto place = named_place::of(path, memory_error::file_system);
    if (place && *place == of_caller->place()) return std::nullopt;
  }
  auto held = name_hold::acquire(path);
  if (held) return std::optional<name_hold>(std::move(*held));
  if (held.error() == memory_error::unsupported) {
    forget_note();
    return std::nullopt;
  }
  return std::unexpected(held.error());
}

std::unexpected<memory_error> refused_within_save() {
  return refused_because(memory_error::busy, nullptr, "the vault is being saved: its watcher cannot save it too");
}

// The whole vault, under a header whose counts are filled in here. Requires a closed gate.
result write_all(vault_state& from, vault_file_header& header, key_view key, const chunk_place& place, const char* path,
                 const vault::watcher& watch) {
  auto keys = from.keys();
  if (!keys) return std::unexpected(keys.error());
  vault_state::session with(from, std::move(*keys));
  header.saves = from.saves() + 1;
  header.records = from.size();
  chunk_writer into(place, header, path);
  if (auto done = into.begin(key); !done) return done;
  auto done = record_writer(from, with, into, watch).run();
  if (done || done.error() != memory_error::damaged) return done;
  return refused_because(memory_error::damaged, path, "not saved: a record of the vault in memory was changed");
}

std::expected<std::vector<std::byte>, memory_error> save_to_memory_or_throw(vault_state& from, const stretching& cost,
                                                                            const file_key_maker& make_key,
                                                                            const vault::watcher& watch) {
  if (from.gate().closed_by_caller()) return refused_within_save();
  if (locks_are_scarce()) from.drop_all_hot();
  auto begun = header_for(from, cost);
  if (!begun) return std::unexpected(begun.error());
  vault_file_header& header = *begun;
  file_key key;
  if (auto made = key.make(make_key, header); !made) return std::unexpected(made.error());
  const gate_closed still(from.gate());
  if (!still.closed()) return refused_within_save();
  std::vector<std::byte> written;
  if (auto done = write_all(from, header, key.view(), chunk_place(written), nullptr, watch); !done) {
    return std::unexpected(done.error());
  }
  from.set_saves(header.saves);
  return written;
}

result save_or_throw(vault_state& from, const std::string& path, const save_request& wanted, const file_key_maker& make_key,
                     const vault::watcher& watch) {
  if (from.gate().closed_by_caller()) return refused_within_save();
  if (locks_are_scarce()) from.drop_all_hot();
  // The key first, and all that may be refused of the file: changes wait for the records alone.
  auto begun = header_for(from, wanted.key);
  if (!begun) return std::unexpected(begun.error());
  vault_file_header& header = *begun;
  file_key key;
  if (auto made = key.make(make_key, header); !made) return made;
  const auto held = hold_for(path, wanted.hold);
  if (!held) return std::unexpected(held.error());
  auto beside = atomic_file_writer::create(path);
  if (!beside) return std::unexpected(beside.error());
  if (auto allowed = may_replace(beside->place(), from, wanted.over); !allowed) return allowed;

  const gate_closed still(from.gate());
  if (!still.closed()) return refused_within_save();
  if (auto done = write_all(from, header, key.view(), beside->opened(), path.c_str(), watch); !done) return done;
  // Whoever does not know of holds may have come meanwhile.
  if (auto allowed = may_replace(beside->place(), from, wanted.over); !allowed) return allowed;
  from.history().expect(path, header.once);
  // Counted before it has its name, so that no two files ever have the same number.
  from.set_saves(header.saves);
  if (auto done = beside->commit(); !done) return done;
  from.history().settle(path, header.once, wanted.key);
  return {};
}

}  // namespace

result save_vault(vault_state& from, const std::string& path, const save_request& wanted, const file_key_maker& make_key,
                  const vault::watcher& watch) {
  return catch_bad_alloc([&] { return save_or_throw(from, path, wanted, make_key, watch); });
}

std::expected<std::vector<std::byte>, memory_error> save_vault(vault_state& from, const stretching& cost,
                                                               const file_key_maker& make_key, const vault::watcher& watch) {
  return catch_bad_alloc([&] { return save_to_memory_or_throw(from, cost, make_key, watch); });
}

}  // namespace lockfast::internal
