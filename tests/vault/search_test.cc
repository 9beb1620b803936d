// search_test.cc - after each operation the whole memory of the process is searched for the records: none is plain.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>
#include <lockfast/vault.hpp>

#include <optional>
#include <string>
#include <vector>

#include "support/page_state.h"
#include "support/traced.h"
#include "vault/file_key.h"

using lockfast::passphrase;
using lockfast::vault;

namespace {

// Long enough for more than one chunk of a file and of a shard, and short.
const traced small(1001, 32);
const traced other(1002, 48);
const traced large(1003, 70000);

void expect_nothing_plain(const std::string& after) {
  CAPTURE(after);
  CHECK(small.copies_in_memory() == 0);
  CHECK(other.copies_in_memory() == 0);
  CHECK(large.copies_in_memory() == 0);
}

passphrase phrase_of(std::string typed) {
  auto made = passphrase::take(std::span<char>(typed));
  REQUIRE(made.has_value());
  return std::move(*made);
}

}  // namespace

TEST_CASE("a plain copy would be found, in the heap and on the stack") {
  if (!memory_can_be_searched()) return;
  expect_nothing_plain("the start");
  {
    std::vector<std::byte> heap(small.size());
    for (std::size_t at = 0; at < heap.size(); ++at) heap[at] = small[at];
    CHECK(small.copies_in_memory() == small.size() / 16);
    lockfast_wipe(heap.data(), heap.size());
  }
  std::byte stack[48];
  for (std::size_t at = 0; at < sizeof stack; ++at) stack[at] = other[at];
  CHECK(other.copies_in_memory() == other.size() / 16);
  lockfast_wipe(stack, sizeof stack);
  expect_nothing_plain("the controls");
}

TEST_CASE("no operation leaves a plain record anywhere in memory") {
  if (!memory_can_be_searched()) return;
  const own_folder folder;
  const std::string path = folder.file("records");
  const auto phrase = phrase_of("a passphrase for the search");
  vault records(vault::options{.hot_records = 0});

  std::vector<vault::id> ids;
  for (const traced* each : {&small, &other, &large}) ids.push_back(*records.insert(each->buffer()));
  expect_nothing_plain("insert");
  for (const vault::id each : ids) CHECK(records.open(each).has_value());
  expect_nothing_plain("open");
  CHECK(records.use(ids, [](vault::spans all) { return all.size(); }) == ids.size());
  expect_nothing_plain("use");
  REQUIRE(records.replace(ids[0], other.buffer()).has_value());
  REQUIRE(records.replace(ids[1], small.buffer()).has_value());
  expect_nothing_plain("replace");
  REQUIRE(records.rekey().has_value());
  expect_nothing_plain("rekey");
  REQUIRE(records.save(path, phrase, {.cost = 10}).has_value());
  expect_nothing_plain("save");
  for (const auto& each : std::filesystem::directory_iterator(folder.path())) {
    for (const traced* secret : {&small, &other, &large}) CHECK(secret->copies_in(each.path()) == 0);
  }
  {
    const auto loaded = vault::load(path, phrase, {.vault = {.hot_records = 0}});
    REQUIRE(loaded.has_value());
    expect_nothing_plain("load");
    CHECK(loaded->open(ids[2]).has_value());
    expect_nothing_plain("open of a loaded record");
  }
  REQUIRE(records.erase(ids[0]).has_value());
  expect_nothing_plain("erase");
  REQUIRE(records.clear().has_value());
  expect_nothing_plain("clear");
  // What is refused leaves nothing either.
  CHECK_FALSE(records.replace(ids[1], large.buffer()).has_value());
  expect_nothing_plain("a refused replace");
}

TEST_CASE("a record that was opened lately is plain in its block alone, and nowhere once it was evicted or erased") {
  if (!memory_can_be_searched()) return;
  vault records(vault::options{.hot_records = 1});
  const auto first = *records.insert(small.buffer());
  const auto second = *records.insert(other.buffer());
  const std::byte* const block = records.open(first)->data();
  // At rest it has no access, and is found all the same, once, unless its block is hidden, or sealed.
  const std::size_t in_sight = is_hidden(block) ? 0 : small.size() / 16;
  CHECK(small.copies_in_memory() == (locks_outlive_closing() ? in_sight : 0));
  {
    const auto view = records.open(first);
    CHECK(view->data() == block);
    CHECK(small.copies_in_memory() == in_sight);
  }
  CHECK(records.open(second).has_value());
  CHECK(small.copies_in_memory() == 0);
  REQUIRE(records.erase(second).has_value());
  expect_nothing_plain("erase");
  CHECK(records.open(first).has_value());
  REQUIRE(records.clear().has_value());
  expect_nothing_plain("clear");
}

TEST_CASE("what is saved under a passphrase opens under it, and under no other") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const auto phrase = phrase_of("the right one");
  vault records;
  const auto id = *records.insert(small.buffer());
  REQUIRE(records.save(path, phrase, {.cost = 10}).has_value());
  const auto loaded = vault::load(path, phrase);
  REQUIRE(loaded.has_value());
  CHECK(loaded->use(id, [](auto bytes) { return small.equals(bytes); }) == true);
  CHECK(vault::load(path, phrase_of("the wrong one")).error() == lockfast::memory_error::wrong_passphrase);
  CHECK(records.save(path, phrase, {.cost = 9}).error() == lockfast::memory_error::limit_exceeded);
  CHECK(records.save(path, phrase, {.cost = 21}).error() == lockfast::memory_error::limit_exceeded);
  auto cleared = phrase_of("soon gone");
  cleared.clear();
  CHECK(records.save(path, cleared, {.cost = 10}).error() == lockfast::memory_error::wiped);
  CHECK(vault::load(path, phrase, {.max_cost = 9}).error() == lockfast::memory_error::limit_exceeded);
}
