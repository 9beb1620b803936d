// small_limit_test.cc - what each type needs at least where little may be locked: as docs/boojum.md says, and the same each time.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "boojum/places.h"
#include "support/child.h"

using namespace lockfast;

namespace {

constexpr int runs = 10;

void promised_each(bool kept, const char* what) {
  if (!kept) std::fprintf(stderr, "%s: %s\n", what, last_error().text());
  promised(kept, what);
}

template <class Value>
Value must(std::expected<Value, memory_error> made, const char* what) {
  promised_each(made.has_value(), what);
  return std::move(*made);
}

buffer<std::byte> key() { return must(buffer<std::byte>::random(32), "a buffer"); }

template <class Memory>
void use(const Memory& held) {
  for (int each = 0; each < 5; ++each) {
    const auto whole = must(held.unlock(), "unlock");
    promised_each(whole.try_read().has_value(), "a view");
  }
}

passphrase typed() {
  std::array<char, 13> characters = {'c', 'o', 'r', 'r', 'e', 'c', 't', ' ', 'h', 'o', 'r', 's', 'e'};
  return must(passphrase::take(std::span<char>(characters)), "a passphrase");
}

void use_ram(const std::string&) { use(must(ram_memory::create(key()), "ram_memory")); }
void use_split(const std::string&) {
  const auto held = must(non_contiguous_memory::create(key()), "non_contiguous_memory");
  use(held);
  promised_each(held.refresh().has_value(), "refresh");
}
void use_moving(const std::string&) {
  const auto held = must(non_contiguous_memory::create(key()), "non_contiguous_memory");
  for (int each = 0; each < 10; ++each) promised_each(held.refresh(refresh_target::change).has_value(), "a move");
}
void use_split_with_file(const std::string& folder) {
  use(must(non_contiguous_memory::create(key(), {.shares = {share_place::ram, share_place::file}, .directory = folder}), "a file share"));
}
void use_file(const std::string& folder) { use(must(file_memory::create(key(), {.directory = folder}), "file_memory")); }
void use_passphrase(const std::string&) {
  const auto phrase = typed();
  for (int each = 0; each < 5; ++each) promised_each(phrase.use([](std::span<const std::byte>) {}).has_value(), "use");
}
void derive(const std::string&) {
  constexpr std::array<std::byte, 16> salt = {};
  promised_each(typed().derive(salt, {.work = 10}).has_value(), "derive");
}
void use_vault(const std::string&) {
  vault records;
  std::vector<vault::id> ids;
  for (int each = 0; each < 40; ++each) {
    ids.push_back(must(records.insert(key()), "insert"));
    promised_each(records.open(ids.back()).has_value(), "open");
  }
  for (const vault::id each : ids) promised_each(records.open(each).has_value(), "open again");
  promised_each(records.replace(ids[0], key()).has_value(), "replace");
}
void save_and_load(const std::string& folder) {
  const auto phrase = typed();
  vault records;
  std::vector<vault::id> ids;
  for (int each = 0; each < 20; ++each) {
    ids.push_back(must(records.insert(key()), "insert"));
    promised_each(records.open(ids.back()).has_value(), "open");
  }
  promised_each(records.save(folder + "/records", phrase, {.cost = 10}).has_value(), "save");
  const auto loaded = must(vault::load(folder + "/records", phrase), "load");
  for (const vault::id each : ids) promised_each(loaded.open(each).has_value(), "open what was loaded");
}

struct need {
  const char* type;
  std::size_t kib;  // of what may be locked, with pages of 4 KiB
  void (*use)(const std::string& folder);
};

// The table of docs/boojum.md, "What may be locked".
constexpr std::array needs = {
    need{"ram_memory", 12, use_ram},
    need{"non_contiguous_memory", 24, use_split},
    need{"refresh(refresh_target::change)", 32, use_moving},
    need{"a share in a file", 24, use_split_with_file},
    need{"file_memory", 32, use_file},
    need{"passphrase", 24, use_passphrase},
    need{"passphrase::derive", 24, derive},
    need{"vault", 32, use_vault},
    need{"vault::save, vault::load", 64, save_and_load},
};

void become_small(std::size_t kib, const std::string& folder) {
  const rlimit limit = {.rlim_cur = kib * 1024, .rlim_max = kib * 1024};
  prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "a limit on locks");
  if (geteuid() != 0) return;
  prove(chown(folder.c_str(), 65534, 65534) == 0 && setgid(65534) == 0 && setuid(65534) == 0, "another user");
}

}  // namespace

TEST_CASE("each type works, every time, under the lock limit that its page tells") {
  if (sysconf(_SC_PAGESIZE) != 4096) {
    MESSAGE("skipped: the table is for pages of 4 KiB");
    return;
  }
  for (const need& each : needs) {
    for (const std::size_t kib : {each.kib, std::size_t{64}, std::size_t{128}}) {
      if (kib < each.kib) continue;
      for (int run = 0; run < runs; ++run) {
        const own_directory files;
        const auto end = in_child([&] {
          become_small(kib, files.path());
          each.use(files.path());
        });
        CAPTURE(std::string(each.type));
        CAPTURE(kib);
        CAPTURE(end.text);
        REQUIRE(end.clean());
      }
    }
  }
}

TEST_CASE("a prekey that was asked for stays as long under a small lock limit, and is refused where it does not fit") {
  const own_directory files;
  const auto end = in_child([&] {
    become_small(64, files.path());
    auto one = key();
    const auto split = non_contiguous_memory::create(std::move(one), {.prekey = 60000});
    promised(!split && split.error() == memory_error::denied, "a refusal");
    promised(std::string(last_error().text()).find("65536") != std::string::npos, last_error().text());
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
