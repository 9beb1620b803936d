// program_file.h - what a program's file says of whether a preloaded library can serve it.
#ifndef TOOLS_RUN_PROGRAM_FILE_H
#define TOOLS_RUN_PROGRAM_FILE_H

#include <optional>
#include <string>
#include <vector>

namespace lockfast::tools {

enum class file_kind { elf, script, other };

struct program_file {
  std::string path;
  file_kind kind = file_kind::other;
  std::string interpreter;   // of a script: the program that its first line names; of an ELF file: its dynamic linker
  bool same_machine = true;  // processor and word size are those of this command
  bool statically_linked = false;
  bool gains_rights = false;        // set-uid or set-gid to somebody else, or file capabilities
  bool has_symbols = false;         // not stripped
  bool own_libsodium = false;       // a function sodium_malloc of its own
  bool calls_libsodium = false;     // asks the dynamic linker for sodium_malloc or sodium_allocarray
  std::vector<std::string> needed;  // libraries
};

// Looks at a file; nullopt if it cannot be read.
std::optional<program_file> look_at(const std::string& path);

// Where the shell would find the command; nullopt if nowhere.
std::optional<std::string> found_on_path(const std::string& command);

// Why a drop-in that is linked to the C library of this command cannot be loaded into the program; nullopt if it can be.
std::optional<std::string> why_not_loadable(const program_file& program);

}  // namespace lockfast::tools

#endif
