// exit_test.cc - every type in the destructor of a global object, after libcrypto has cleaned up.
//
//    exit_test CLIENT OURS      CLIENT: none, uses, cleans     what the program itself does with libcrypto in main
//                               OURS:   none, uses             whether main uses a vault
//
// Everything must work where libcrypto was there when we first asked for it. Where the program alone had used it, and its clean-up
// came first, what computes is refused by a memory_error. Leaves with 0 when it is so.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <unistd.h>
#include <lockfast/lockfast.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

using namespace lockfast;

namespace {

bool works = true;

// Leaves where a result is not as it is expected; otherwise whether there is a value.
template <class Result>
bool expect(const Result& found, const char* what) {
  if (found.has_value() == works) return works;
  std::fprintf(stderr, "%s: %s\n", what, found ? "works" : message(found.error()).data());
  _exit(1);
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  _exit(1);
}

buffer<std::byte> random_secret(std::size_t size) {
  auto made = buffer<std::byte>::random(size);
  require(made.has_value(), "a buffer");
  return std::move(*made);
}

void use_plain_types() {
  auto held = ram_memory::create(random_secret(64));
  require(held && held->unlock() && std::move(*held).update(random_secret(8)), "ram_memory");
  auto box = boxed<std::array<std::uint8_t, 32>>::random();
  require(box && box->try_read().has_value(), "boxed, read");
  require(box->try_write().has_value(), "boxed, written");
  lockfast::string text = "a secret that is too long for the object itself";
  require(text.size() > 40, "string");
}

template <class Memory>
void use_memory(const typename Memory::options& chosen, const char* what) {
  auto held = Memory::create(random_secret(2000), chosen);
  if (!expect(held, what)) return;
  expect(held->unlock(), what);
  expect(held->copy(), what);
  if constexpr (requires { held->refresh(); }) expect(held->refresh(), what);
  auto next = std::move(*held).update(random_secret(40));
  if (expect(next, what)) expect(next->wipe(), what);
}

void use_vault(const std::string& folder) {
  vault records;
  const auto id = records.insert(random_secret(32));
  std::array<char, 12> typed = {'a', ' ', 'p', 'a', 's', 's', 'p', 'h', 'r', 'a', 's', 'e'};
  auto phrase = passphrase::take(std::span<char>(typed));
  const bool inserted = expect(id, "insert");
  if (!expect(phrase, "passphrase") || !inserted) return;
  expect(records.open(*id), "open");
  expect(records.rekey(), "rekey");
  expect(records.replace(*id, random_secret(5)), "replace");
  expect(phrase->derive(std::as_bytes(std::span("salt"))), "derive");
  expect(phrase->use([](std::span<const std::byte>) {}), "use");
  const std::string file = folder + "/records";
  expect(records.save(file, *phrase, {.cost = 10}), "save");
  const auto loaded = vault::load(file, *phrase);
  if (expect(loaded, "load")) require(loaded->size() == 1, "the record");
  expect(records.erase(*id), "erase");
}

struct last {
  ~last() {
    const std::string folder = std::filesystem::temp_directory_path() / ("lockfast-exit-" + std::to_string(getpid()));
    use_plain_types();
    use_memory<non_contiguous_memory>({}, "non_contiguous_memory");
    use_memory<non_contiguous_memory>({.shares = {share_place::ram, share_place::file}, .directory = folder}, "a share in a file");
    use_memory<file_memory>({.directory = folder}, "file_memory");
    std::filesystem::create_directory(folder);
    use_vault(folder);
    std::filesystem::remove_all(folder);
  }
};

// Made before main, and so destroyed after what main registers.
const last one;

void use_libcrypto() {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  require(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1 && EVP_DigestUpdate(context, "abc", 3) == 1 &&
              EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1,
          "libcrypto");
  EVP_MD_CTX_free(context);
}

}  // namespace

int main(int argc, char** argv) {
  require(argc == 3, "the arguments");
  const std::string_view client = argv[1];
  const std::string_view ours = argv[2];
  if (client != "none") use_libcrypto();
  if (ours == "uses") {
    vault records;
    require(records.insert(random_secret(32)).has_value(), "a record");
  }
  works = client == "none" || ours == "uses";
  if (client == "cleans") OPENSSL_cleanup();
  return 0;
}
