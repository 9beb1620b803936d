// kill_test.cc - a process that saves without end is killed at random moments: the file is whole every time.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <set>
#include <vector>

#include "boojum/vault/file_io.h"
#include "support/sanitized.h"
#include "support/traced.h"
#include "vault/file_key.h"

using lockfast::vault;
using lockfast::internal::load_vault;
using lockfast::internal::save_vault;
using lockfast::internal::vault_state;

namespace {

constexpr int kills = sanitized ? 60 : 1000;
constexpr std::size_t record_count = 5;
constexpr std::size_t record_size = 30000;  // more than two chunks of a file in all
constexpr long max_life = 4'000'000;    // nanoseconds

// Record number at of the save with this number.
traced record_of(std::uint64_t save, std::size_t at) { return traced(save * record_count + at, record_size); }

// Saves until it is killed; every save has other records, that follow from its number. One byte tells of the first save.
[[noreturn]] void save_without_end(const std::string& path, int told) {
  vault_state records(vault::options{.hot_records = 0});
  std::vector<vault::id> ids(record_count);
  std::vector<std::byte> room(record_size);
  for (std::uint64_t save = 1;; ++save) {
    for (std::size_t at = 0; at < record_count; ++at) {
      const traced secret = record_of(save, at);
      for (std::size_t byte = 0; byte < record_size; ++byte) room[byte] = secret[byte];
      const std::span<const std::byte> bytes(room);
      const bool done =
          save == 1 ? records.insert({&bytes, 1}, {&ids[at], 1}).has_value() : records.replace(ids[at], bytes).has_value();
      if (!done) _exit(1);
    }
    if (!save_vault(records, path, {.key = {.cost = 10}, .over = vault::replaces::any_file}, key_from(), nullptr)) _exit(2);
    if (save == 1 && write(told, "x", 1) != 1) _exit(3);
  }
}

bool is_whole(const std::string& path) {
  const auto loaded = load_vault(path, key_from(), {.vault = {.hot_records = 0}});
  if (!loaded || (*loaded)->size() != record_count) return false;
  std::set<std::size_t> found;
  for (vault::id id = (*loaded)->next({}); id != vault::id(); id = (*loaded)->next(id)) {
    const auto view = (*loaded)->open(id);
    if (!view) return false;
    for (std::size_t at = 0; at < record_count; ++at) {
      if (record_of((*loaded)->saves(), at).equals(view->span())) found.insert(at);
    }
  }
  return found.size() == record_count;
}

}  // namespace

TEST_CASE("a save that is killed at any moment leaves the old file or the new one, whole") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::mt19937 random(5);
  int whole = 0;
  int in_the_middle = 0;  // killed while a file was half written
  for (int kill_number = 0; kill_number < kills; ++kill_number) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) save_without_end(path, ends[1]);
    close(ends[1]);
    char byte = 0;
    REQUIRE(read(ends[0], &byte, 1) == 1);
    close(ends[0]);
    const timespec life{0, static_cast<long>(random() % max_life)};
    nanosleep(&life, nullptr);
    REQUIRE(kill(child, SIGKILL) == 0);
    int state = 0;
    REQUIRE(waitpid(child, &state, 0) == child);
    REQUIRE(WIFSIGNALED(state));
    whole += is_whole(path) ? 1 : 0;
    in_the_middle += std::filesystem::exists(folder.file(".records.saving")) ? 1 : 0;
  }
  CHECK(whole == kills);
  CHECK(in_the_middle > kills / 20);
}
