// pinentry.h - a program of GnuPG that asks the user for a passphrase. It speaks the Assuan protocol on its standard streams:
//
//    command:   WORD arguments\n                      %, CR and LF of arguments as %XX
//    answer:    (# remark\n | S status\n | D bytes\n)*  then  OK ...\n  or  ERR number text\n
//
// Bytes of D lines go from the pipe to locked memory.
//
// Threads: one.
#ifndef TOOLS_VAULT_PINENTRY_H
#define TOOLS_VAULT_PINENTRY_H

#include <lockfast/secret.hpp>

#include <optional>
#include <string>

#include "tools/vault/coprocess.h"
#include "tools/vault/kept_terminal.h"

namespace lockfast::tools {

class pinentry {
 public:
  struct dialog {
    std::string description;
    std::string error;  // shown in red, say; may be empty
  };

  // Starts it. Throws refusal, as the others do. instead: the option that gives the passphrase without it.
  pinentry(const std::string& program, const std::string& instead);
  pinentry(const pinentry&) = delete;
  pinentry& operator=(const pinentry&) = delete;
  ~pinentry();

  buffer<std::byte> ask(const dialog& shown);
  // Asks again, by itself or by us, and refuses two that differ.
  buffer<std::byte> ask_twice(const dialog& shown);

 private:
  struct answer {
    bool is_ok = false;
    bool was_repeated = false;
    unsigned error = 0;
    std::string text;                       // of an error
    std::optional<buffer<std::byte>> data;  // all D lines, decoded
  };

  answer hear();
  answer command(const std::string& line);
  answer typed_answer();
  void option(const std::string& name, const std::string& value);
  void describe(const dialog& shown);
  buffer<std::byte> typed(answer&& given) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::string program_;
  std::string instead_;
  coprocess beside_;
  kept_terminal terminal_;
};

}  // namespace lockfast::tools

#endif
