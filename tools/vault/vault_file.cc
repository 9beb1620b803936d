#include "tools/vault/vault_file.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <thread>

#include "tools/command.h"
#include "tools/vault/explain.h"
#include "tools/vault/progress_bar.h"

namespace lockfast::tools {
namespace {

constexpr std::uint32_t max_cost = 20;  // that of vault::load_options

}  // namespace

vault_file::vault_file(const vault_request& wanted) : path_(wanted.file), source_(wanted) {
  // No process of the same user reads our memory. A program that we become is not bound by it.
  prctl(PR_SET_DUMPABLE, 0);
}

void vault_file::ask() {
  if (!phrase_) phrase_ = source_.present(false);
}

void vault_file::make(std::optional<unsigned> cost) {
  if (access(path_.c_str(), F_OK) == 0)
    throw refusal(shown(path_) + " is there already; name another file, or remove it first");
  phrase_ = source_.fresh(source_.descriptor(), "--passphrase-fd");
  cost_ = cost;
  // Of two that make it at once, the second waits, and is told.
  const auto held = hold();
  vault empty;
  const auto saved = save(empty, held);
  if (!saved && saved.error() == memory_error::outdated) {
    throw refusal(shown(path_) + " was made by another program meanwhile; open that one, or name another file");
  }
  need(std::expected<void, memory_error>(saved), path_);
}

void vault_file::take_line() {
  if (!source_.asks_somebody()) ask();
}

void vault_file::open() { need(try_open(), path_); }

std::expected<void, memory_error> vault_file::try_open() {
  if (records_) return {};
  // Before anybody types.
  const auto said = vault::inspect(path_);
  if (!said) return std::unexpected(said.error());
  if (said->cost > max_cost) {
    throw refusal(shown(path_) + " asks for 2^" + std::to_string(said->cost) + " KiB of memory, 2^" + std::to_string(max_cost) +
                  " at most are given; this command did not make it, restore a copy");
  }
  constexpr int tries = 3;
  ask();
  for (int at = 1;; ++at) {
    auto loaded = load();
    if (loaded) {
      records_ = std::move(*loaded);
      return {};
    }
    if (loaded.error() != memory_error::wrong_passphrase || !source_.asks_somebody() || at == tries) {
      return std::unexpected(loaded.error());
    }
    phrase_ = source_.present(true);
  }
}

vault::id vault_file::id_in(const vault& records, const std::string& name) const {
  const auto id = records.find(name);
  if (id) return *id;
  if (id.error() != memory_error::not_found) refuse(id.error(), path_);
  throw refusal("no record has the name '" + shown(name) + "'; see: lockfast vault " + shown(path_) + " list");
}

void vault_file::change(const std::function<void(vault&)>& apply) {
  if (source_.asks_somebody()) open();
  ask();
  const auto held = hold();
  const bool was_open = records_.has_value();
  open();
  apply(*records_);
  auto saved = save(*records_, held);
  if (was_open && !saved && saved.error() == memory_error::outdated) {
    records_ = need(load(), path_);
    apply(*records_);
    saved = save(*records_, held);
  }
  need(std::move(saved), path_);
}

void vault_file::rekey(std::optional<int> new_passphrase, std::optional<unsigned> cost) {
  open();
  next_phrase_ = source_.fresh(new_passphrase, "--new-passphrase-fd");
  cost_ = cost;
  change([](vault&) {});
}

std::expected<vault, memory_error> vault_file::load() const {
  progress_bar bar("loading");
  return vault::load(path_, *phrase_, {.watch = bar.watcher()});
}

std::expected<void, memory_error> vault_file::save(vault& records, const std::optional<vault::file_hold>& held) const {
  progress_bar bar("saving");
  return records.save(path_, next_phrase_ ? *next_phrase_ : *phrase_,
                      {.cost = cost_, .watch = bar.watcher(), .hold = held ? &*held : nullptr});
}

// Waits until no other command holds the file. On a file system without locks, the second of two that save is refused: `outdated`.
std::optional<vault::file_hold> vault_file::hold() const {
  using clock = std::chrono::steady_clock;
  constexpr auto pause = std::chrono::milliseconds(20);
  const auto begin = clock::now();
  bool is_told = false;
  for (;;) {
    auto held = vault::file_hold::acquire(path_);
    if (held) return std::move(*held);
    if (held.error() == memory_error::unsupported) return std::nullopt;
    if (held.error() != memory_error::busy || clock::now() - begin > std::chrono::minutes(1)) refuse(held.error(), path_);
    if (!is_told && clock::now() - begin > std::chrono::seconds(1) && isatty(STDERR_FILENO) != 0) {
      std::cerr << "lockfast vault: waiting for another program that saves " << shown(path_) << '\n';
      is_told = true;
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace lockfast::tools
