// key_search_test.cc - while a vault is saved or loaded, and while a passphrase is stretched, no key that opens more than one
// record or chunk lies in the ordinary heap, where a dump of the process has it.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "boojum/crypto/little_endian.h"
#include "boojum/memory/scratch.h"
#include "support/memory_search.h"
#include "vault/saving.h"

using lockfast::internal::hchacha20;
using lockfast::internal::key_view;
using lockfast::internal::scratch;
using lockfast::internal::stored_header;
using lockfast::internal::vault_file_header;

namespace {

// 32 bytes to look for. It keeps their complement, so that it does not find itself.
class needle {
 public:
  explicit needle(std::span<const std::byte, 32> key) {
    for (std::size_t at = 0; at < key.size(); ++at) inverted_[at] = ~key[at];
  }
  std::size_t copies_in_memory() const {
    return sum_over_memory(inverted_.size(), [this](std::span<const std::byte> bytes) {
      std::size_t found = 0;
      const void* next = bytes.data();
      const std::byte first = ~inverted_[0];
      const std::byte* const end = bytes.data() + bytes.size();
      for (const auto* at = bytes.data(); at + inverted_.size() <= end; ++at) {
        next = std::memchr(at, std::to_integer<int>(first), static_cast<std::size_t>(end - at));
        if (next == nullptr) break;
        at = static_cast<const std::byte*>(next);
        if (at + inverted_.size() > end) break;
        found += std::ranges::equal(inverted_, std::span(at, inverted_.size()),
                                    [](std::byte mine, std::byte theirs) { return mine == ~theirs; });
      }
      return found;
    });
  }

 private:
  std::array<std::byte, 32> inverted_;
};

// The subkeys of the first chunks of a file of format 1 and of format 2, under a key.
std::vector<needle> subkeys_of(const vault_file_header& header, key_view key) {
  std::vector<needle> all;
  const scratch subkey(32);
  lockfast::internal::chunk_key chunks;
  stored_header stored(header);
  REQUIRE(chunks.make(key, header, stored).has_value());
  for (std::uint64_t chunk = 1; chunk <= 4; ++chunk) {
    const auto nonce = lockfast::internal::chunk_nonce(header, chunk);
    hchacha20(chunks.view(), std::span(nonce).first<16>(), subkey.bytes().first<32>());
    all.emplace_back(subkey.bytes().first<32>());
  }
  return all;
}

}  // namespace

TEST_CASE("no subkey of a file's chunks is in memory when a watcher is called") {
  if (!memory_can_be_searched()) return;
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{.hot_records = 0});
  for (std::uint64_t seed = 0; seed < 4200; ++seed) (void)inserted(records, traced(seed, 16));
  vault_file_header saved;
  const lockfast::internal::file_key_maker notes = [&](const vault_file_header& header) {
    saved = header;
    return key_from()(header);
  };
  // The header is complete only in the file that is being written.
  std::size_t found = 0;
  int calls = 0;
  const auto look = [&](const std::string& file) {
    return [&, file](const vault::progress&) {
      stored_header stored;
      std::ifstream stream(file, std::ios::binary);
      stream.read(reinterpret_cast<char*>(stored.room().data()), static_cast<std::streamsize>(stored.room().size()));
      const auto header = stored.parse(stored.room().size());
      REQUIRE(header.has_value());
      const auto key = key_from()(*header);
      const auto view = key->read();
      for (const needle& each : subkeys_of(*header, key_view(view.data(), 32))) found += each.copies_in_memory();
      ++calls;
      return true;
    };
  };
  REQUIRE(save_vault(records, path, work, notes, look(folder.file(".records.saving"))).has_value());
  REQUIRE(load_vault(path, notes, {.vault = {.hot_records = 0}, .watch = look(path)}).has_value());
  CHECK(calls >= 4);
  CHECK(found == 0);
  // The control: what lies in the heap is found.
  std::vector<std::byte> heap(32);
  lockfast_random(heap.data(), heap.size());
  CHECK(needle(std::span(heap).first<32>()).copies_in_memory() >= 1);
}

TEST_CASE("the last key of a passphrase is never in the ordinary heap while scrypt runs") {
  if (!memory_can_be_searched()) return;
  const std::string text = "four words of mine";
  const auto salt = std::as_bytes(std::span("0123456789abcdef", 16));
  const scratch room(64);
  REQUIRE_FALSE(room.refused());
  {
    const std::string label = "lockfast passphrase 1" + std::string("0123456789abcdef");
    REQUIRE(EVP_Digest(label.data(), label.size(), reinterpret_cast<unsigned char*>(room.data()), nullptr, EVP_blake2b512(),
                       nullptr));
    const auto key = room.bytes().first<32>();
    const auto absorb = [&](std::span<const std::byte, 16> block) { hchacha20(key, block, key); };
    std::array<std::byte, 16> block = {};
    lockfast::internal::store_little(block.data(), std::uint64_t{text.size()});
    absorb(block);
    for (std::size_t at = 0; at < text.size(); at += 16) {
      block = {};
      std::memcpy(block.data(), text.data() + at, std::min<std::size_t>(16, text.size() - at));
      absorb(block);
    }
  }
  const needle last_key(room.bytes().first<32>());
  lockfast_wipe(room.data(), 64);
  std::string typed = text;
  const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
  REQUIRE(phrase.has_value());
  // One copy, in the scratch of derive, where that is not hidden from the search; libcrypto's would be another.
  const scratch probe(64);
  const std::size_t allowed = is_hidden(probe.data()) ? 0 : 1;
  std::atomic<bool> done = false;
  std::jthread derives([&] {
    for (int round = 0; round < 3; ++round) CHECK(phrase->derive(salt, {.work = 15}).has_value());
    done = true;
  });
  std::size_t most = 0;
  int looks = 0;
  for (; !done; ++looks) most = std::max(most, last_key.copies_in_memory());
  CHECK(looks > 0);
  CHECK(most <= allowed);
}

TEST_CASE("an erased record leaves its sealed bytes nowhere in memory") {
  if (!memory_can_be_searched()) return;
  vault_state records(vault::options{.hot_records = 0});
  const auto id = inserted(records, traced(1));
  const auto where = vault_state::locate(id);
  std::array<std::byte, 32> sealed;
  lockfast::internal::seal_head head;
  REQUIRE(records.shard(where.shard).read(where.at, head, sealed));
  const needle wanted(sealed);
  lockfast_wipe(sealed.data(), sealed.size());
  CHECK(wanted.copies_in_memory() == 1);
  REQUIRE(records.erase(id));
  CHECK(wanted.copies_in_memory() == 0);
}
