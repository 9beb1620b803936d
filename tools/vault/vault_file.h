// vault_file.h - a vault file, loaded and saved so that two commands on it lose nothing.
//
//    somebody is asked:   ask, load  ->  hold -> change -> save            (changed meanwhile: load again, change again, save)
//    nobody is asked:                    hold -> load -> change -> save
//
// Nobody waits for a person who types; commands of scripts wait for each other. What is not saved whole leaves the file as it was.
//
// Threads: one.
#ifndef TOOLS_VAULT_VAULT_FILE_H
#define TOOLS_VAULT_VAULT_FILE_H

#include <lockfast/passphrase.hpp>
#include <lockfast/vault.hpp>

#include <functional>
#include <optional>
#include <string>

#include "tools/vault/passphrase_source.h"
#include "tools/vault/request.h"

namespace lockfast::tools {

class vault_file {
 public:
  explicit vault_file(const vault_request& wanted);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool asks_somebody() const { return source_.asks_somebody(); }

  // Saves a new one without records.
  void make(std::optional<unsigned> cost);
  // Reads the passphrase now, if it comes from a descriptor: standard input may have more after it.
  void take_line();
  // Loads it, once. A person has three tries.
  void open();
  [[nodiscard]] std::expected<void, memory_error> try_open();
  // Requires open().
  [[nodiscard]] vault& records() { return *records_; }
  // The record of a name; throws refusal if there is none.
  [[nodiscard]] vault::id id_of(const std::string& name) const { return id_in(*records_, name); }
  [[nodiscard]] vault::id id_in(const vault& records, const std::string& name) const;

  // Changes and saves it. apply may be called twice, each time with what the file has.
  void change(const std::function<void(vault&)>& apply);
  // Saves it under a new passphrase, or cost.
  void rekey(std::optional<int> new_passphrase, std::optional<unsigned> cost);

 private:
  void ask();
  [[nodiscard]] std::expected<vault, memory_error> load() const;
  [[nodiscard]] std::optional<vault::file_hold> hold() const;
  [[nodiscard]] std::expected<void, memory_error> save(vault& records, const std::optional<vault::file_hold>& held) const;

  std::string path_;
  passphrase_source source_;
  std::optional<passphrase> phrase_;
  std::optional<passphrase> next_phrase_;
  std::optional<unsigned> cost_;
  std::optional<vault> records_;
};

}  // namespace lockfast::tools

#endif
