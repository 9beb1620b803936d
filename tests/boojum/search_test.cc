// search_test.cc - the whole memory of the process, freed memory included, and its files, searched for secrets and old
// shares.
//
// Hidden memory is out of the search's reach. So these tests run with hidden=off as well, where every block is searched; where
// blocks are hidden the search shows that nothing is left in ordinary memory, which a secret never is.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <cstdio>

#include "boojum/places.h"
#include "boojum/share_probe.h"
#include "support/page_state.h"
#include "support/traced.h"

using namespace lockfast;
using internal::share_probe;
using internal::split_secret;

namespace {

std::uint64_t next_seed() {
  static std::uint64_t seed = 7000;
  return ++seed;
}

// What a share holds, remembered so that a search for it does not find the memory of the test: each byte changed.
class remembered {
 public:
  explicit remembered(std::span<const std::byte> share) {
    for (const std::byte byte : share.first(std::min<std::size_t>(share.size(), size))) changed_.push_back(byte ^ mask);
  }
  bool is_in(std::span<const std::byte> bytes) const {
    return std::search(bytes.begin(), bytes.end(), changed_.begin(), changed_.end(),
                       [](std::byte there, std::byte changed) { return (there ^ mask) == changed; }) != bytes.end();
  }
  std::size_t copies_in_memory() const;

 private:
  static constexpr std::size_t size = 32;
  static constexpr std::byte mask{0xa7};
  std::vector<std::byte> changed_;
};

// Leaves no copy of what the file holds.
bool is_in_file(const remembered& share, const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  REQUIRE(file != nullptr);
  std::setvbuf(file, nullptr, _IONBF, 0);
  std::vector<std::byte> bytes(std::filesystem::file_size(path));
  REQUIRE(std::fread(bytes.data(), 1, bytes.size(), file) == bytes.size());
  std::fclose(file);
  const bool found = share.is_in(bytes);
  lockfast_wipe(bytes.data(), bytes.size());
  return found;
}

std::size_t remembered::copies_in_memory() const {
  return sum_over_memory(size, [&](std::span<const std::byte> piece) -> std::size_t { return is_in(piece) ? 1 : 0; });
}

constexpr std::size_t parts = 4;  // of 16 bytes, that are searched for in a secret of 64

// The parts that the search finds of a buffer while it is open, and while nobody looks at it: none where secrets are hidden, and
// some systems show nobody the pages that have no access.
struct visible {
  std::size_t open = 0;
  std::size_t closed = 0;
};

visible visible_here() {
  const traced value(next_seed(), 64);
  const auto whole = value.buffer();
  visible found;
  found.closed = value.copies_in_memory();
  const auto view = whole.read();
  found.open = value.copies_in_memory();
  lockfast_receipt receipt = {};
  REQUIRE(lockfast_describe(view.data(), &receipt) == 0);
  CHECK(found.open == (receipt.backing == LOCKFAST_HIDDEN ? 0 : parts));
  CHECK((found.closed == 0 || found.closed == found.open));
  return found;
}

// The files of a directory, nameless ones too, hold no part of it.
void check_not_in_files(const traced& value, const std::string& directory) {
  for (const auto& path : open_files(directory)) CHECK(value.copies_in(path) == 0);
}

// While it lives no share changes but by the test.
struct stopped_refresher {
  stopped_refresher() { refresher::stop(); }
  ~stopped_refresher() { CHECK(refresher::start()); }
};

// A secret that is searched for while it is held, and after each operation.
template <class Memory>
void check_nowhere(const typename Memory::options& chosen, std::size_t at_rest, const std::string& directory) {
  const visible here = visible_here();
  const traced value(next_seed(), 64);
  const traced next(next_seed(), 64);
  {
    auto held = Memory::create(value.buffer(), chosen);
    REQUIRE(held);
    CHECK(value.copies_in_memory() == at_rest);
    {
      const auto whole = held->unlock();
      const auto view = whole->read();
      REQUIRE(value.equals(view.span()));
      CHECK(value.copies_in_memory() == at_rest + here.open);
    }
    CHECK(value.copies_in_memory() == at_rest);
    check_not_in_files(value, directory);
    {
      const auto other = held->copy();
      REQUIRE(other);
      CHECK(value.copies_in_memory() == 2 * at_rest);
    }
    CHECK(value.copies_in_memory() == at_rest);
    auto updated = std::move(*held).update(next.buffer());
    REQUIRE(updated);
    CHECK(value.copies_in_memory() == 0);
    CHECK(next.copies_in_memory() == at_rest);
    check_not_in_files(next, directory);
    CHECK(updated->wipe());
    CHECK(next.copies_in_memory() == 0);
  }
  CHECK(value.copies_in_memory() == 0);
}

}  // namespace

TEST_CASE("the search finds a copy in ordinary memory, and one in a buffer unless it is hidden") {
  if (!memory_can_be_searched()) {
    MESSAGE("memory cannot be searched here: nothing is checked");
    return;
  }
  (void)visible_here();
  const traced value(next_seed(), 64);
  std::vector<std::byte> copy(64);
  for (std::size_t at = 0; at < copy.size(); ++at) copy[at] = value[at];
  CHECK(value.copies_in_memory() == parts);
  CHECK(remembered(copy).copies_in_memory() > 0);
  lockfast_wipe(copy.data(), copy.size());
  CHECK(value.copies_in_memory() == 0);
}

TEST_CASE("a secret is found in memory only while a buffer or ram_memory holds it, and nowhere after it went") {
  if (!memory_can_be_searched()) {
    MESSAGE("memory cannot be searched here: nothing is checked");
    return;
  }
  const own_directory files;
  check_nowhere<ram_memory>({}, visible_here().closed, files.path());
  check_nowhere<file_memory>({.directory = files.path()}, 0, files.path());
  for (const auto& kind : split_kinds(files.path())) check_nowhere<non_contiguous_memory>(kind, 0, files.path());
}

TEST_CASE("a refresh forms the secret nowhere, and leaves no old share in memory") {
  if (!memory_can_be_searched()) {
    MESSAGE("memory cannot be searched here: nothing is checked");
    return;
  }
  const own_directory files;
  const stopped_refresher stopped;
  const bool shows_closed = visible_here().closed > 0;
  for (const auto& kind : split_kinds(files.path())) {
    const traced value(next_seed(), 64);
    const auto held = [&] {
      const auto whole = value.buffer();
      auto made = split_secret::split(whole.read().span(), kind);
      REQUIRE(made);
      return *made;
    }();
    for (const bool joins : {false, true}) {
      std::vector<remembered> old;
      share_probe::each(*held, [&](std::span<const std::byte> share) {
        const remembered one(share);
        CHECK(one.is_in(share));  // the control
        old.push_back(one);
      });
      for (std::size_t which = 0; which < old.size(); ++which) {
        if (kind.shares[which] == share_place::file) {  // the control
          CHECK(std::ranges::any_of(open_files(files.path()),
                                    [&](const std::string& path) { return is_in_file(old[which], path); }));
        } else if (shows_closed) {
          CHECK(old[which].copies_in_memory() > 0);
        }
      }
      if (joins && kind.remix == remix_policy::on_unlock) {
        REQUIRE(held->join());
      } else {
        REQUIRE(held->refresh(refresh_target::change));
      }
      for (const auto& each : old) {
        CHECK(each.copies_in_memory() == 0);
        for (const auto& path : open_files(files.path())) CHECK_FALSE(is_in_file(each, path));
      }
      CHECK(value.copies_in_memory() == 0);
    }
  }
}

TEST_CASE("a passphrase is found in memory only while it is used") {
  if (!memory_can_be_searched()) {
    MESSAGE("memory cannot be searched here: nothing is checked");
    return;
  }
  const traced value(next_seed(), 64);
  const std::size_t open = visible_here().open;
  auto phrase = passphrase::take(value.buffer(), {});
  REQUIRE(phrase);
  CHECK(value.copies_in_memory() == 0);
  CHECK(phrase->use([&](std::span<const std::byte>) { CHECK(value.copies_in_memory() == open); }));
  CHECK(value.copies_in_memory() == 0);
  const auto key = phrase->derive(std::as_bytes(std::span("salt")), {.work = 4});
  REQUIRE(key);
  CHECK(value.copies_in_memory() == 0);
}
