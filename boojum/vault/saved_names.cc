// saved_names.cc - descriptions between a vault and a stream of chunks.
#include "boojum/vault/saved_names.h"

#include <algorithm>
#include <vector>

#include "boojum/crypto/little_endian.h"
#include "boojum/memory/catch_bad_alloc.h"

namespace lockfast::internal {
namespace {

using result = std::expected<void, memory_error>;

constexpr std::uint32_t kind = 1;
constexpr std::size_t id_size = sizeof(std::uint64_t);

result write_one(const record_names::description& one, chunk_writer& into) {
  std::array<std::byte, id_size> id;
  store_little(id.data(), one.which.value());
  if (auto done = into.put(id); !done) return done;
  if (auto done = into.put(static_cast<std::uint32_t>(one.name.size())); !done) return done;
  if (auto done = into.put(static_cast<std::uint32_t>(one.label.size())); !done) return done;
  if (auto done = into.put(std::as_bytes(std::span(one.name))); !done) return done;
  return into.put(std::as_bytes(std::span(one.label)));
}

result read_one(chunk_reader& from, vault_state& into, locked_buffer& room) {
  std::array<std::byte, id_size> id;
  if (auto done = from.take(id); !done) return done;
  const vault::id which(load_little<std::uint64_t>(id.data()));
  const auto name_size = from.take_number();
  if (!name_size) return std::unexpected(name_size.error());
  const auto label_size = from.take_number();
  if (!label_size) return std::unexpected(label_size.error());
  constexpr std::uint32_t most = record_names::max_text;
  if (*name_size > most || *label_size > most || *name_size + *label_size == 0 || !into.find(which)) {
    return std::unexpected(memory_error::damaged);
  }
  const auto texts = room.of(*name_size + *label_size);
  if (texts.empty()) return std::unexpected(memory_error::denied);
  auto done = from.take(texts);
  if (done) {
    const std::string_view both(reinterpret_cast<const char*>(texts.data()), texts.size());
    done = into.names().add({which, both.substr(0, *name_size), both.substr(*name_size)});
    // Two descriptions of one record, or a name twice.
    if (!done && (done.error() == memory_error::busy || done.error() == memory_error::name_taken)) {
      done = std::unexpected(memory_error::damaged);
    }
  }
  lockfast_wipe(texts.data(), texts.size());
  return done;
}

}  // namespace

result write_names(vault_state& from, chunk_writer& into) {
  return catch_bad_alloc([&]() -> result {
    std::vector<std::uint64_t> all = from.names().ids();
    std::erase_if(all, [&](std::uint64_t id) { return !from.find(vault::id(id)); });  // reserved ids
    if (all.empty()) return {};
    std::ranges::sort(all);
    if (auto done = into.put(kind); !done) return done;
    if (auto done = into.put(static_cast<std::uint32_t>(all.size())); !done) return done;
    locked_buffer room;
    for (const std::uint64_t id : all) {
      const auto one = from.names().open(vault::id(id), room);
      if (!one) return std::unexpected(one.error() == memory_error::not_found ? memory_error::damaged : one.error());
      if (auto done = write_one(*one, into); !done) return done;
    }
    return {};
  });
}

result read_names(chunk_reader& from, vault_state& into) {
  if (from.rest() == 0) return {};
  const auto found = from.take_number();
  if (!found) return std::unexpected(found.error());
  if (*found != kind) return std::unexpected(memory_error::damaged);
  const auto count = from.take_number();
  if (!count) return std::unexpected(count.error());
  if (*count == 0) return std::unexpected(memory_error::damaged);
  locked_buffer room;
  for (std::uint32_t at = 0; at < *count; ++at) {
    if (auto done = read_one(from, into, room); !done) return done;
  }
  return {};
}

}  // namespace lockfast::internal
