// format_test.cc - the file is as docs/vault.md says: its test vectors, and a reader in another language that knows only that.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "boojum/crypto/little_endian.h"
#include "boojum/files/named_file.h"
#include "boojum/vault/file_io.h"
#include "support/traced.h"
#include "vault/file_key.h"
#include "support/hex.h"

using lockfast::passphrase;
using lockfast::vault;
using lockfast::internal::chunk_writer;
using lockfast::internal::atomic_file_writer;
using lockfast::internal::key_view;
using lockfast::internal::store_little;
using lockfast::internal::vault_file_header;

namespace {

const std::string root = LOCKFAST_SOURCE_FOLDER;

using vectors = std::map<std::string, std::string>;

// The lines NAME VALUE between the fences that say vectors and a format; a line that begins with a space goes on.
vectors documented(int format = 2) {
  std::ifstream document(root + "/docs/vault.md");
  vectors found;
  std::string line;
  std::string name;
  bool inside = false;
  while (std::getline(document, line)) {
    if (line.starts_with("```")) {
      inside = line == "```vectors-" + std::to_string(format);
    } else if (inside) {
      const std::size_t gap = line.find(' ');
      if (gap != 0) name = line.substr(0, gap);
      found[name] += line.substr(line.find_first_not_of(' ', gap));
    }
  }
  REQUIRE(found.size() == (format == 1 ? 12 : 15));
  return found;
}

template <std::size_t Size>
std::array<std::byte, Size> bytes_of(const std::string& digits) {
  const auto bytes = from_hex(digits);
  std::array<std::byte, Size> out;
  REQUIRE(bytes.size() == Size);
  std::copy_n(bytes.begin(), Size, out.begin());
  return out;
}

passphrase phrase_of(std::string typed) {
  auto made = passphrase::take(std::span<char>(typed));
  REQUIRE(made.has_value());
  return std::move(*made);
}

vault_file_header header_of(const vectors& given) {
  return {.key = {.cost = static_cast<std::uint32_t>(std::stoul(given.at("cost")))},
          .salt = bytes_of<32>(given.at("salt")),
          .identity = bytes_of<16>(given.at("identity")),
          .saves = std::stoull(given.at("saves")),
          .records = 2,
          .once = bytes_of<16>(given.at("file-nonce"))};
}

std::vector<std::byte> contents_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void write(const std::string& path, const vault_file_header& header, const std::string& key, std::span<const std::byte> plain) {
  const auto key_bytes = bytes_of<32>(key);
  auto file = atomic_file_writer::create(path);
  REQUIRE(file.has_value());
  chunk_writer out(file->opened(), header);
  REQUIRE(out.begin(key_bytes).has_value());
  REQUIRE(out.put(plain).has_value());
  REQUIRE(out.end().has_value());
  REQUIRE(file->commit().has_value());
}

std::string sha256(std::span<const std::byte> bytes) {
  std::array<std::byte, 32> out;
  REQUIRE(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha256(), nullptr));
  return to_hex(out);
}

// What a command prints.
std::string answer_of(const std::string& command) {
  std::FILE* const answer = popen(command.c_str(), "r");
  REQUIRE(answer != nullptr);
  std::string text;
  for (int each = std::fgetc(answer); each != EOF; each = std::fgetc(answer)) text += static_cast<char>(each);
  if (pclose(answer) != 0) text.clear();
  return text;
}

// Runs vault_file.py with these arguments, and gives what it prints; nothing where there is no python3.
std::optional<std::string> ask_python(const std::string& arguments) {
  if (!answer_of("python3 -c \"import hashlib; hashlib.scrypt; print(42)\" 2>&1").starts_with("42")) {
    MESSAGE("skipped: there is no python3 with scrypt here");
    return std::nullopt;
  }
  const std::string text = answer_of("python3 -B '" + root + "/tests/vault/vault_file.py' " + arguments);
  CHECK_FALSE(text.empty());
  return text;
}

}  // namespace

TEST_CASE("what is written is what the document's test vectors say, byte by byte") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const vectors given = documented();
  const auto header = header_of(given);
  const auto key = phrase_of(given.at("passphrase")).derive(header.salt, {.work = header.key.cost}, 32);
  REQUIRE(key.has_value());
  CHECK(to_hex(key->read().span()) == given.at("key"));
  write(path, header, given.at("key"), from_hex(given.at("plain")));
  CHECK(to_hex(contents_of(path)) == given.at("header") + given.at("chunk"));
}

TEST_CASE("a large record is written over chunks as the document's test vectors say") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const vectors given = documented();
  auto header = header_of(given);
  header.saves = 1;
  header.records = 1;
  const std::size_t size = std::stoul(given.at("large-size"));
  constexpr std::size_t in_front = 16;
  std::vector<std::byte> plain(in_front);
  store_little(plain.data(), std::uint32_t{1});
  store_little(plain.data() + 8, std::uint32_t{1});
  store_little(plain.data() + 12, static_cast<std::uint32_t>(size));
  for (std::size_t at = 0; at < size; ++at) plain.push_back(static_cast<std::byte>(at * at % 251));
  plain.resize(plain.size() + 15 * 8);
  write(path, header, given.at("key"), plain);
  const auto file = contents_of(path);
  CHECK(file.size() == std::stoul(given.at("large-file-size")));
  CHECK(sha256(file) == given.at("large-file-sha256"));
  const auto loaded = vault::load(path, phrase_of(given.at("passphrase")));
  REQUIRE(loaded.has_value());
  CHECK(loaded->use(vault::id(std::uint64_t{1} << 32),
                    [&](auto secret) { return std::ranges::equal(secret, std::span(plain).subspan(in_front, size)); }) == true);
}

TEST_CASE("the files of the document's test vectors load, in both formats, and tell what they are") {
  for (const int format : {1, 2}) {
    CAPTURE(format);
    const own_folder folder;
    const std::string path = folder.file("records");
    const vectors given = documented(format);
    const auto file = from_hex(given.at("header") + given.at("chunk"));
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    const auto loaded = vault::load(path, phrase_of(given.at("passphrase")));
    REQUIRE(loaded.has_value());
    CHECK(loaded->saves() == std::stoull(given.at("saves")));
    CHECK(loaded->size() == 2);
    const auto told = vault::inspect(path);
    REQUIRE(told.has_value());
    CHECK(told->format == static_cast<std::uint32_t>(format));
    CHECK(told->function == vault::kdf::scrypt);
    CHECK(told->cost == 10);
    CHECK(told->block == 8);
    CHECK(told->parallel == 1);
    CHECK(told->saves == loaded->saves());
    CHECK(told->records == 2);
    CHECK(told->identity == loaded->identity());
    CHECK(to_hex(loaded->identity()) == given.at("identity"));
    CHECK(vault().identity() != vault().identity());
    for (const char* const name : {"record-1", "record-2"}) {
      std::istringstream record(given.at(name));
      std::uint64_t id = 0;
      std::string digits;
      record >> id >> digits;
      CHECK(loaded->use(vault::id(id), [](auto secret) { return to_hex(secret); }) == digits);
    }
  }
}

TEST_CASE("an implementation in another language computes the document's test vectors") {
  (void)ask_python("--vectors '" + root + "/docs/vault.md'");
}

TEST_CASE("an implementation in another language reads what a vault has saved") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault records;
  std::map<vault::id, std::string> model;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const traced secret(seed, seed == 40 ? 70000 : 1 + seed * 3);
    const auto held = secret.buffer();
    model[*records.insert(held)] = to_hex(held.read().span());
  }
  for (int round = 0; round < 20; ++round) {
    REQUIRE(records.erase(model.begin()->first).has_value());
    model.erase(model.begin());
  }
  const auto digits_of = [](std::string_view text) { return to_hex(std::as_bytes(std::span(text))); };
  REQUIRE(records.rename(model.begin()->first, "a name").has_value());
  model.begin()->second.append(" ").append(digits_of("a name")).append(" -");
  REQUIRE(records.rename(model.rbegin()->first, "another").has_value());
  REQUIRE(records.relabel(model.rbegin()->first, "and a label").has_value());
  model.rbegin()->second.append(" ").append(digits_of("another")).append(" ").append(digits_of("and a label"));
  REQUIRE(records.save(path, phrase_of("four words of mine"), {.cost = 10}).has_value());
  const auto told = ask_python("'" + path + "' 'four words of mine'");
  if (!told) return;
  std::istringstream lines(*told);
  std::map<vault::id, std::string> read;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t gap = line.find(' ');
    read[vault::id(std::stoull(line))] = line.substr(gap + 1);
  }
  CHECK(read == model);
}

TEST_CASE("a vault loads what an implementation in another language has written") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::map<vault::id, std::string> model;
  std::string lines;
  for (std::uint64_t number = 0; number < 40; ++number) {
    const vault::id id((number % 5 + 1) << 32 | (number / 16) << 4 | number % 16);
    std::string digits;
    for (std::uint64_t byte = 0; byte < (number == 7 ? 40000 : number + 1); ++byte) digits += byte % 3 == 0 ? "a7" : "0f";
    model[id] = digits;
    lines += std::to_string(id.value()) + " " + digits;
    lines += number == 9 ? " 6e616d65 6c6162656c\n" : "\n";
  }
  std::ofstream(folder.file("lines")) << lines;
  if (!ask_python("--write '" + path + "' 'four words of mine' < '" + folder.file("lines") + "'")) return;
  const auto loaded = vault::load(path, phrase_of("four words of mine"));
  REQUIRE(loaded.has_value());
  CHECK(loaded->size() == model.size());
  for (const auto& [id, digits] : model) CHECK(loaded->use(id, [](auto secret) { return to_hex(secret); }) == digits);
  const auto named = loaded->find("name");
  REQUIRE(named.has_value());
  const auto label = loaded->label_of(*named);
  REQUIRE(label.has_value());
  CHECK(to_hex(label->read().span()) == "6c6162656c");
}

TEST_CASE("an implementation in another language reads and writes files under raw keys") {
  const own_folder folder;
  const auto key = traced(5).buffer();
  const std::string digits = to_hex(key.read().span());
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  const std::string saved = folder.file("saved");
  const std::string written = folder.file("written");
  const std::string lines = folder.file("lines");
  REQUIRE(records.save(saved, key).has_value());
  const auto told = ask_python("'" + saved + "' key:" + digits);
  if (!told) return;
  std::string line = std::to_string(id.value());
  line.append(" ").append(to_hex(records.open(id)->span())).append("\n");
  CHECK(*told == line);
  std::ofstream(lines) << line;
  REQUIRE(ask_python("--write '" + written + "' key:" + digits + " < '" + lines + "'"));
  const auto loaded = vault::load(written, key);
  REQUIRE(loaded.has_value());
  CHECK(traced(1).equals(loaded->open(id)->span()));
}
