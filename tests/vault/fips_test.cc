// fips_test.cc - a program that asks libcrypto for FIPS algorithms alone: every type goes on as without, and none says another thing.
//
// Ours come from a library context of our own (decisions/0074), so the program's default properties choose none of them.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <unistd.h>
#include <lockfast/lockfast.hpp>

#include <string>

#include "support/child.h"
#include "support/traced.h"
#include "vault/file_key.h"

using namespace lockfast;

namespace {

// What each type that uses a cipher, a hash or libcrypto says, one line for all: "ok", or its refusal.
std::string each_says(const std::string& path) {
  std::string all;
  const auto note = [&](const char* what, const auto& done) {
    if (!done) all += std::string(what) + ": " + std::string(message(done.error())) + "; ";
  };
  note("non_contiguous_memory", non_contiguous_memory::create(traced(1).buffer()));
  note("file_memory", file_memory::create(traced(1).buffer(), {.directory = path + ".files"}));
  std::string typed = "four words of mine";
  const auto phrase = passphrase::take(std::span<char>(typed));
  note("passphrase", phrase);
  if (!phrase) return all;
  note("derive", phrase->derive(std::as_bytes(std::span("0123456789abcdef", 16)), {.work = 10}));
  vault records;
  const auto id = records.insert("name", traced(1).buffer());
  note("insert", id);
  note("derive a record", records.derive(*id, {.function = vault::derivation::by::blake2b}, 32));
  note("sign", procedures(records).sign(*id, {}));
  note("save", records.save(path, *phrase, {.cost = 10}));
  note("load", vault::load(path, *phrase));
  note("lock", records.lock_with(*phrase, {.cost = 10}));
  return all.empty() ? "ok" : all;
}

}  // namespace

TEST_CASE("under FIPS default properties of libcrypto all types say the same as without") {
  for (const bool before : {true, false}) {
    CAPTURE(before);
    const own_folder folder;
    const std::string path = folder.file("records");
    const ending end = in_child([&] {
      if (!before) prove(each_says(path + "-before") == "ok", "without them");
      prove(EVP_set_default_properties(nullptr, "fips=yes") == 1, "the properties");
      EVP_MD* const refused = EVP_MD_fetch(nullptr, "BLAKE2B-512", nullptr);
      prove(refused == nullptr, "that libcrypto heeds them");
      const std::string said = each_says(path);
      if (said != "ok") say(said.c_str());
      promised(said == "ok", "every type goes on");
      leave_with(0);
    });
    CAPTURE(end.text);
    CHECK(end.clean());
  }
}
