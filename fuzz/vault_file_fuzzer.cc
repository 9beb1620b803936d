// vault_file_fuzzer.cc - gives a vault decoded files to load: whole, changed, or well sealed and of whatever content.
//
// A changed file must be refused, and told of as the document says; the file as it was must load. What is well sealed is read a
// second time, by a reader of docs/vault.md that is written here: both must agree on whether it is a vault, and on each record.
#include <lockfast/lockfast.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "boojum/files/named_file.h"
#include "boojum/vault/file_io.h"
#include "fuzz/bytes.h"
#include "fuzz/own_folder.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {
namespace {

using internal::vault_file_header;
using internal::vault_state;

enum change : unsigned char {
  patch_header,
  patch_chunk,
  cut,
  extend,
  swap_chunks,
  splice,
  raw,
  restore,
  forge_whole,
  forge_damaged,
  change_count
};

constinit std::array<kind, change_count> counts = {{{"changed header", 0},
                                                    {"changed chunk", 0},
                                                    {"cut", 0},
                                                    {"extended", 0},
                                                    {"swapped chunks", 0},
                                                    {"chunk of another file", 0},
                                                    {"raw bytes", 0},
                                                    {"as it was", 0},
                                                    {"well sealed, a vault", 0},
                                                    {"well sealed, no vault", 0}}};

constexpr std::size_t header_size = internal::stored_header::max_size;
constexpr std::size_t chunk_size = vault_file_header{}.chunk;
constexpr std::size_t stored_chunk = chunk_size + internal::tag_size;
constexpr std::size_t two_chunks = 2 * chunk_size;
constexpr std::size_t shard_count = 16;
constexpr std::uint64_t max_stretching = std::uint64_t{1} << 30;  // bytes, as load_options have it

using contents = std::vector<std::uint8_t>;
using records = std::map<std::uint64_t, contents>;  // by id

const std::string& path() {
  static const own_folder own("vault-file");
  static const std::string file = own.path() / "records";
  return file;
}

// Stands for scrypt, and sees to it that it is never asked for too much.
std::expected<buffer<std::byte>, memory_error> key_of(const vault_file_header& header) {
  const internal::stretching& asked_for = header.key;
  const std::uint64_t memory = std::uint64_t{1024} << std::min<std::uint64_t>(asked_for.cost, 40);
  const bool argon2id = asked_for.function == vault::kdf::argon2id;
  const std::uint64_t asked = argon2id ? memory : memory / 8 * asked_for.block * asked_for.parallel;
  if (asked_for.cost == 0 || asked == 0 || asked > max_stretching) disagree("a stretching of %u", asked_for.cost);
  return buffer<std::byte>::filled(internal::key_size, [&](std::span<std::byte> key) {
    std::ranges::copy(header.salt, key.begin());
    key[0] ^= static_cast<std::byte>(asked_for.cost ^ asked_for.block << 3 ^ asked_for.parallel << 5);
  });
}

contents read_file() {
  std::ifstream stream(path(), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write_file(const contents& all) {
  std::ofstream stream(path(), std::ios::binary | std::ios::trunc);
  stream.write(reinterpret_cast<const char*>(all.data()), static_cast<std::streamsize>(all.size()));
  if (!stream.flush()) disagree("the folder is full");
}

void expect_records(vault_state& in, const records& wanted) {
  if (in.size() != wanted.size()) disagree("%zu records, not %zu", in.size(), wanted.size());
  for (const auto& [id, bytes] : wanted) {
    const auto view = in.open(vault::id(id));
    if (!view) disagree("a record is refused: %s", message(view.error()).data());
    if (!std::ranges::equal(view->span(), std::as_bytes(std::span(bytes)))) disagree("a record has another value");
  }
  std::size_t met = 0;
  for (vault::id at = in.next({}); at != vault::id(); at = in.next(at)) met += wanted.contains(at.value()) ? 1U : 0U;
  if (met != wanted.size()) disagree("%zu ids are met, not %zu", met, wanted.size());
}

void expect_new_ids(vault_state& in, const records& known) {
  const std::byte byte{1};
  const std::span<const std::byte> secret(&byte, 1);
  for (std::size_t count = 0; count < 2 * shard_count; ++count) {
    vault::id id;
    if (!in.insert({&secret, 1}, {&id, 1})) disagree("an insert is refused");
    if (known.contains(id.value())) disagree("an id is given out twice");
  }
}

// ---- Files that were changed --------------------------------------------------------------------------------------------

contents save_some(bytes& input, records& model, std::size_t min_size = 1) {
  vault_state all(vault::options{.hot_records = 0});
  const std::size_t count = min_size / two_chunks + input.below(6);
  for (std::size_t each = 0; each < count; ++each) {
    contents secret(min_size + (input.below(3) == 0 ? input.below(150'000) : input.below(300)), input.next());
    const auto plain = std::as_bytes(std::span(secret));
    vault::id id;
    if (!all.insert({&plain, 1}, {&id, 1})) disagree("an insert is refused");
    model[id.value()] = std::move(secret);
  }
  if (count != 0 && input.below(3) == 0) {
    if (!all.erase(vault::id(model.begin()->first))) disagree("an erase is refused");
    model.erase(model.begin());
  }
  if (!save_vault(all, path(), {.key = {.cost = 10}, .over = vault::replaces::any_file}, key_of, nullptr)) disagree("a save is refused");
  return read_file();
}

template <class Contents>
auto body_of(Contents& file) {
  return file.begin() + static_cast<std::ptrdiff_t>(header_size);
}

// Whether there is such a change to be made.
bool apply(change what, bytes& input, contents& file) {
  const std::size_t body = file.size() - header_size;
  switch (what) {
    case patch_header: file[input.below(header_size)] ^= input.next(); return true;
    case patch_chunk:
      for (std::size_t count = 1 + input.below(4); count > 0; --count) file[header_size + input.below(body)] ^= input.next();
      return true;
    case cut: file.resize(input.below(2) == 0 ? input.below(file.size()) : file.size() - 1 - input.below(40)); return true;
    case extend: file.resize(file.size() + 1 + input.below(70'000), input.next()); return true;
    case swap_chunks:
      if (body < 2 * stored_chunk) return false;  // the one record was erased again
      std::swap_ranges(body_of(file), body_of(file) + static_cast<std::ptrdiff_t>(stored_chunk),
                       body_of(file) + static_cast<std::ptrdiff_t>(stored_chunk));
      return true;
    case splice: {
      records ignored;
      bytes same(input);
      const contents other = save_some(same, ignored);
      const std::size_t size = std::min({other.size() - header_size, body, stored_chunk});
      std::copy_n(body_of(other), size, body_of(file));
      return true;
    }
    case raw:
      file.resize(input.below(400));
      for (auto& byte : file) byte = input.next();
      if (input.below(2) == 0 && file.size() >= 12) std::memcpy(file.data(), input.below(2) == 0 ? "lockfast\1\0\0" : "lockfast\2\0\0", 12);
      return true;
    case restore: return true;
    default: return false;
  }
}

bool fits(change what, memory_error refusal) {
  switch (refusal) {
    case memory_error::damaged: return true;
    case memory_error::wrong_passphrase:
    case memory_error::unsupported:
    case memory_error::limit_exceeded: return what == patch_header || what == raw;
    default: return false;
  }
}

void change_a_file(change what, bytes& input) {
  records model;
  const contents whole = save_some(input, model, what == swap_chunks ? two_chunks : 1);
  contents file = whole;
  if (!apply(what, input, file)) return;
  ++counts[what].count;
  write_file(file);
  const auto loaded = load_vault(path(), key_of, {.vault = {.hot_records = 0}});
  if (file == whole) {
    if (!loaded) disagree("a file as it was is refused: %s", message(loaded.error()).data());
    expect_records(**loaded, model);
    expect_new_ids(**loaded, model);
  } else if (loaded) {
    disagree("a changed file is loaded");
  } else if (!fits(what, loaded.error())) {
    disagree("a changed file is told of as: %s", message(loaded.error()).data());
  }
}

// ---- Files that are well sealed -------------------------------------------------------------------------------------------

void put(contents& stream, std::uint32_t number) {
  for (int byte = 0; byte < 4; ++byte) stream.push_back(static_cast<std::uint8_t>(number >> 8 * byte));
}

// Most often what a vault would write, with a lie here and there.
contents decode_stream(bytes& input) {
  contents stream;
  const bool honest = input.below(3) != 0;
  const auto lie = [&](std::uint32_t number) {
    if (honest || input.below(16) != 0) return number;
    constexpr std::array<std::uint32_t, 8> lies = {0, 1, 2, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff, 1U << 28, 70'000};
    return lies[input.below(lies.size())];
  };
  for (std::size_t shard = 0; shard < shard_count; ++shard) {
    const std::size_t slots = input.below(4);
    put(stream, lie(static_cast<std::uint32_t>(slots)));
    put(stream, static_cast<std::uint32_t>(input.below(8)));
    for (std::size_t slot = 0; slot < slots; ++slot) {
      const std::size_t size = input.below(8) == 0 ? 0 : 1 + input.below(input.below(8) == 0 ? 90'000 : 60);
      put(stream, lie(input.below(8) == 0 ? 0xffff'ffff : 1 + input.next()));
      put(stream, lie(static_cast<std::uint32_t>(size)));
      stream.insert(stream.end(), size, input.next());
    }
  }
  if (!honest) stream.resize(input.below(2) == 0 ? stream.size() + input.below(9) : input.below(stream.size() + 1), 7);
  return stream;
}

// The records of a stream by docs/vault.md; nothing where it is damaged.
std::optional<records> read_stream(const contents& stream, std::uint64_t wanted) {
  std::size_t at = 0;
  const auto number = [&]() -> std::optional<std::uint32_t> {
    if (stream.size() - at < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (int byte = 0; byte < 4; ++byte) value |= std::uint32_t{stream[at++]} << 8 * byte;
    return value;
  };
  records found;
  for (std::size_t shard = 0; shard < shard_count; ++shard) {
    const auto slots = number();
    const auto floor = number();
    if (!slots || !floor) return std::nullopt;
    for (std::uint64_t slot = 0; slot < *slots; ++slot) {
      const auto generation = number();
      const auto size = number();
      if (!generation || !size) return std::nullopt;
      if (*size == 0) continue;
      if (*generation == 0 || *size > 0x7fff'ffff || *size > stream.size() - at) return std::nullopt;
      const auto from = stream.begin() + static_cast<std::ptrdiff_t>(at);
      found[std::uint64_t{*generation} << 32 | slot << 4 | shard] = contents(from, from + *size);
      at += *size;
    }
  }
  if (at != stream.size() || found.size() != wanted) return std::nullopt;
  return found;
}

void seal_a_file(bytes& input) {
  vault_file_header header = {.key = {.cost = 10}, .saves = 1 + input.below(1000)};
  for (auto& byte : header.salt) byte = static_cast<std::byte>(input.next());
  const contents stream = decode_stream(input);
  // Most often the number that there are, so that the rest of the reader is reached.
  header.records = input.below(8) == 0 ? input.below(20) : 0;
  auto wanted = read_stream(stream, header.records);
  for (std::uint64_t guess = 1; !wanted && header.records == 0 && guess <= 3 * shard_count; ++guess) {
    wanted = read_stream(stream, guess);
    if (wanted) header.records = guess;
  }
  {
    const auto key = key_of(header);
    const auto view = key->read();
    auto file = internal::atomic_file_writer::create(path());
    if (!file) disagree("a file is refused");
    internal::chunk_writer out(file->opened(), header);
    if (!out.begin(internal::key_view(view.data(), internal::key_size)) || !out.put(std::as_bytes(std::span(stream))) || !out.end() || !file->commit()) {
      disagree("a write is refused");
    }
  }
  ++counts[wanted ? forge_whole : forge_damaged].count;
  const auto loaded = load_vault(path(), key_of, {.vault = {.hot_records = 0}});
  if (!wanted) {
    if (loaded || loaded.error() != memory_error::damaged) disagree("what is no vault is not damaged");
    return;
  }
  if (!loaded) disagree("a well sealed vault is refused: %s", message(loaded.error()).data());
  if ((*loaded)->saves() != header.saves) disagree("another number of saves");
  expect_records(**loaded, *wanted);
  expect_new_ids(**loaded, *wanted);
}

}  // namespace

std::span<const kind> kinds() { return counts; }

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lockfast::fuzz;
  lockfast::refresher::stop();
  lockfast::fuzz::bytes input({bytes, size});
  const auto what = static_cast<change>(input.below(change_count));
  what >= forge_whole ? seal_a_file(input) : change_a_file(what, input);
  return 0;
}
