// hostile_file_test.cc - a file that was changed, cut or made to harm is refused, without more memory or time than it accounts
// for.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

#include "boojum/crypto/little_endian.h"
#include "boojum/files/named_file.h"
#include "boojum/vault/file_io.h"
#include "support/traced.h"
#include "vault/file_key.h"

using lockfast::memory_error;
using lockfast::vault;
using lockfast::internal::chunk_writer;
using lockfast::internal::file_key_maker;
using lockfast::internal::atomic_file_writer;
using lockfast::internal::key_size;
using lockfast::internal::key_view;
using lockfast::internal::load_vault;
using lockfast::internal::save_vault;
using lockfast::internal::store_little;
using lockfast::internal::tag_size;
using lockfast::internal::vault_file_header;
using lockfast::internal::vault_state;

namespace {

const lockfast::internal::save_request work = {.key = {.cost = 10}, .over = vault::replaces::any_file};
constexpr std::size_t header_size = lockfast::internal::stored_header::max_size;
constexpr std::size_t stored_chunk = vault_file_header{}.chunk + tag_size;

std::vector<char> contents_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write(const std::string& file, const std::vector<char>& contents) {
  std::ofstream(file, std::ios::binary).write(contents.data(), static_cast<std::streamsize>(contents.size()));
}

void fill(vault_state& records, std::size_t count, std::size_t size) {
  const auto held = traced(1, size).buffer();
  const auto view = held.read();
  std::vector<vault::id> ids(count);
  const std::vector<std::span<const std::byte>> secrets(count, {view.data(), view.size()});
  REQUIRE(records.insert(secrets, ids).has_value());
}

std::vector<char> saved(const own_folder& folder, std::size_t count, std::size_t size) {
  vault_state records(vault::options{});
  if (count != 0) fill(records, count, size);
  REQUIRE(save_vault(records, folder.file("whole"), work, key_from(), nullptr).has_value());
  return contents_of(folder.file("whole"));
}

memory_error refusal_of(const own_folder& folder, const std::vector<char>& contents, const file_key_maker& key = key_from()) {
  write(folder.file("changed"), contents);
  const auto loaded = load_vault(folder.file("changed"), key, {});
  REQUIRE_FALSE(loaded.has_value());
  return loaded.error();
}

// A file that is well sealed, of whatever is put into it.
void forge(const std::string& path, std::uint64_t records, const std::function<void(chunk_writer&)>& body) {
  vault_file_header header = {.key = {.cost = 10}, .saves = 1, .records = records};
  const auto key = key_from()(header);
  const auto view = key->read();
  auto file = atomic_file_writer::create(path);
  REQUIRE(file.has_value());
  chunk_writer out(file->opened(), header);
  REQUIRE(out.begin(key_view(view.data(), key_size)).has_value());
  body(out);
  REQUIRE(out.end().has_value());
  REQUIRE(file->commit().has_value());
}

void put(chunk_writer& out, std::initializer_list<std::uint32_t> numbers) {
  for (const std::uint32_t each : numbers) REQUIRE(out.put(each).has_value());
}

void put_empty_shards(chunk_writer& out, std::size_t count) {
  while (count-- > 0) put(out, {0, 0});
}

}  // namespace

TEST_CASE("a changed bit anywhere is refused") {
  const own_folder folder;
  const auto whole = saved(folder, 3, 20);
  REQUIRE(whole.size() < 600);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    CAPTURE(bit);
    auto changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const memory_error refusal = refusal_of(folder, changed);
    const bool in_header = bit / 8 < header_size;
    const bool fits = in_header ? refusal == memory_error::wrong_passphrase || refusal == memory_error::damaged ||
                                      refusal == memory_error::unsupported || refusal == memory_error::limit_exceeded
                                : refusal == memory_error::damaged;
    CHECK(fits);
  }
  CHECK(load_vault(folder.file("whole"), key_from(), {}).has_value());
}

TEST_CASE("a file that was cut, or made longer, is damaged at every length") {
  const own_folder folder;
  const auto whole = saved(folder, 3, 20);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    auto cut = whole;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(size), cut.end());
    CHECK(refusal_of(folder, cut) == memory_error::damaged);
  }
  for (const std::size_t more : std::initializer_list<std::size_t>{1, 15, 16, 17, 4096}) {
    auto longer = whole;
    longer.insert(longer.end(), more, '\0');
    CHECK(refusal_of(folder, longer) == memory_error::damaged);
  }
}

TEST_CASE("chunks that are missing, doubled or in another order are damage, and so is another file's chunk") {
  const own_folder folder;
  const auto whole = saved(folder, 1000, 300);
  REQUIRE(whole.size() > header_size + 4 * stored_chunk);
  const auto chunk = [](std::vector<char>& of, std::size_t number) {
    return of.begin() + static_cast<std::ptrdiff_t>(header_size + number * stored_chunk);
  };
  auto swapped = whole;
  std::swap_ranges(chunk(swapped, 0), chunk(swapped, 1), chunk(swapped, 1));
  CHECK(refusal_of(folder, swapped) == memory_error::damaged);
  auto missing = whole;
  missing.erase(chunk(missing, 1), chunk(missing, 2));
  CHECK(refusal_of(folder, missing) == memory_error::damaged);
  auto doubled = whole;
  doubled.insert(chunk(doubled, 2), chunk(doubled, 1), chunk(doubled, 2));
  CHECK(refusal_of(folder, doubled) == memory_error::damaged);
  auto cut = whole;
  cut.erase(chunk(cut, 2), cut.end());
  CHECK(refusal_of(folder, cut) == memory_error::damaged);
  auto other = saved(folder, 1000, 300);
  auto spliced = whole;
  std::copy(chunk(other, 1), chunk(other, 2), chunk(spliced, 1));
  CHECK(refusal_of(folder, spliced) == memory_error::damaged);
}

TEST_CASE("another key is a wrong passphrase") {
  const own_folder folder;
  CHECK(refusal_of(folder, saved(folder, 3, 20), key_from(1)) == memory_error::wrong_passphrase);
}

TEST_CASE("a stretching that asks for too much is refused before it begins") {
  const own_folder folder;
  const auto whole = saved(folder, 3, 20);
  bool asked = false;
  const file_key_maker never = [&](const vault_file_header& header) {
    asked = true;
    return key_from()(header);
  };
  const auto with = [&](std::uint32_t log, std::uint32_t block, std::uint32_t parallel) {
    auto changed = whole;
    auto* const stored = reinterpret_cast<std::byte*>(changed.data());
    store_little(stored + 16, log);
    store_little(stored + 20, block);
    store_little(stored + 24, parallel);
    asked = false;
    return refusal_of(folder, changed, never);
  };
  CHECK(with(21, 8, 1) == memory_error::limit_exceeded);
  CHECK(with(20, 8, 2) == memory_error::limit_exceeded);
  CHECK(with(10, 0xffff'ffff, 1) == memory_error::limit_exceeded);
  CHECK(with(10, 8, 0xffff'ffff) == memory_error::limit_exceeded);
  CHECK(with(0xffff'ffff, 8, 1) == memory_error::limit_exceeded);
  CHECK(with(64, 64, 64) == memory_error::limit_exceeded);
  CHECK(with(0, 8, 1) == memory_error::damaged);
  CHECK(with(10, 0, 1) == memory_error::damaged);
  CHECK(with(10, 8, 0) == memory_error::damaged);
  CHECK_FALSE(asked);
  CHECK(with(11, 8, 1) == memory_error::wrong_passphrase);
  CHECK(asked);
}

TEST_CASE("records that make no sense are damage, however well they are sealed") {
  const own_folder folder;
  const std::string path = folder.file("forged");
  const auto refused = [&](std::uint64_t records, const std::function<void(chunk_writer&)>& body) {
    forge(path, records, body);
    const auto loaded = load_vault(path, key_from(), {});
    return !loaded && loaded.error() == memory_error::damaged;
  };
  const std::byte secret[8] = {};
  // The control: a vault of one record.
  forge(path, 1, [&](chunk_writer& out) {
    put(out, {1, 0, 5, 8});
    REQUIRE(out.put(secret).has_value());
    put_empty_shards(out, 15);
  });
  REQUIRE(load_vault(path, key_from(), {}).has_value());

  CHECK(refused(0, [](chunk_writer&) {}));
  CHECK(refused(0, [](chunk_writer& out) { put_empty_shards(out, 15); }));
  CHECK(refused(0, [](chunk_writer& out) { put_empty_shards(out, 17); }));
  CHECK(refused(1, [](chunk_writer& out) { put_empty_shards(out, 16); }));
  CHECK(refused(0, [](chunk_writer& out) { put(out, {0xffff'ffff, 0}); }));
  CHECK(refused(1, [](chunk_writer& out) { put(out, {1, 0, 5, 0x7fff'ffff}); }));
  CHECK(refused(1, [](chunk_writer& out) { put(out, {1, 0, 5, 0xffff'ffff}); }));
  for (const auto& [records, generation] : {std::pair{std::uint64_t{1}, 0U}, {std::uint64_t{0}, 5U}, {std::uint64_t{2}, 5U}}) {
    CHECK(refused(records, [&, g = generation](chunk_writer& out) {
      put(out, {1, 0, g, 8});
      REQUIRE(out.put(secret).has_value());
      put_empty_shards(out, 15);
    }));
  }
}

TEST_CASE("a file that claims a record of two gigabytes costs neither memory nor time") {
  const own_folder folder;
  const std::string path = folder.file("forged");
  forge(path, 1, [](chunk_writer& out) {
    put(out, {1, 0, 5, 0x7fff'fff0});
    const std::vector<std::byte> some(200000);
    REQUIRE(out.put(some).has_value());
  });
  struct lockfast_statistics before;
  lockfast_get_statistics(&before);
  const std::clock_t start = std::clock();
  CHECK(load_vault(path, key_from(), {}).error() == memory_error::damaged);
  CHECK(std::clock() - start < CLOCKS_PER_SEC);
  struct lockfast_statistics after;
  lockfast_get_statistics(&after);
  CHECK(after.bytes_reserved - before.bytes_reserved < (std::size_t{16} << 20));
}

TEST_CASE("bytes of any kind are refused") {
  const own_folder folder;
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 7, 127, 128, 129, 1000, 100000}) {
    std::vector<char> junk(size);
    const traced source(size, size);
    for (std::size_t at = 0; at < size; ++at) junk[at] = static_cast<char>(source[at]);
    CHECK(refusal_of(folder, junk) == memory_error::damaged);
    if (size >= 8) {
      std::copy_n("lockfast", 8, junk.begin());
      CHECK_NOTHROW((void)refusal_of(folder, junk));
    }
  }
}
