#include "tools/run/program_file.h"

#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>
#include <sstream>
#include <string_view>

namespace lockfast::tools {
namespace {

using bytes = std::span<const char>;

// A record at an offset; nullopt where the file ends before it does.
template <class Record>
std::optional<Record> record_at(bytes file, std::size_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(Record)) return std::nullopt;
  Record record;
  std::memcpy(&record, file.data() + offset, sizeof record);
  return record;
}

std::string text_at(bytes file, std::size_t offset) {
  if (offset >= file.size()) return {};
  const bytes rest = file.subspan(offset);
  return {rest.begin(), std::find(rest.begin(), rest.end(), '\0')};
}

std::string whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The names that a table of symbols has: those of libsodium's allocator are what is asked for.
void read_symbols(bytes file, const ElfW(Shdr)& table, const ElfW(Shdr)& names, program_file& into) {
  for (std::size_t at = 0; at + sizeof(ElfW(Sym)) <= table.sh_size; at += sizeof(ElfW(Sym))) {
    const auto symbol = record_at<ElfW(Sym)>(file, table.sh_offset + at);
    if (!symbol) return;
    const std::string name = text_at(file, names.sh_offset + symbol->st_name);
    if (name != "sodium_malloc" && name != "sodium_allocarray") continue;
    (symbol->st_shndx == SHN_UNDEF ? into.calls_libsodium : into.own_libsodium) = true;
  }
}

void read_dynamic(bytes file, const ElfW(Shdr)& table, const ElfW(Shdr)& names, program_file& into) {
  for (std::size_t at = 0; at + sizeof(ElfW(Dyn)) <= table.sh_size; at += sizeof(ElfW(Dyn))) {
    const auto entry = record_at<ElfW(Dyn)>(file, table.sh_offset + at);
    if (!entry || entry->d_tag == DT_NULL) return;
    if (entry->d_tag == DT_NEEDED) into.needed.push_back(text_at(file, names.sh_offset + entry->d_un.d_val));
  }
}

void read_sections(bytes file, const ElfW(Ehdr)& header, program_file& into) {
  const auto section = [&](std::size_t index) {
    return record_at<ElfW(Shdr)>(file, header.e_shoff + index * sizeof(ElfW(Shdr)));
  };
  for (std::size_t at = 0; header.e_shoff != 0 && at < header.e_shnum; ++at) {
    const auto table = section(at);
    if (!table) return;
    const auto names = section(table->sh_link);
    if (!names) continue;
    if (table->sh_type == SHT_SYMTAB) into.has_symbols = true;
    if (table->sh_type == SHT_SYMTAB || table->sh_type == SHT_DYNSYM) read_symbols(file, *table, *names, into);
    if (table->sh_type == SHT_DYNAMIC) read_dynamic(file, *table, *names, into);
  }
}

void read_elf(bytes file, program_file& into) {
  const auto header = record_at<ElfW(Ehdr)>(file, 0);
  const auto own = record_at<ElfW(Ehdr)>(bytes(whole_file("/proc/self/exe")), 0);
  if (!header || !own || header->e_ident[EI_CLASS] != own->e_ident[EI_CLASS] || header->e_machine != own->e_machine) {
    into.same_machine = false;
    return;
  }
  for (std::size_t at = 0; at < header->e_phnum; ++at) {
    const auto part = record_at<ElfW(Phdr)>(file, header->e_phoff + at * sizeof(ElfW(Phdr)));
    if (part && part->p_type == PT_INTERP) into.interpreter = text_at(file, part->p_offset);
  }
  // A library has none either, but is no program.
  into.statically_linked = into.interpreter.empty();
  read_sections(file, *header, into);
}

// "#!/usr/bin/env NAME" names the program that env starts.
void read_script(bytes file, program_file& into) {
  const std::string line(file.begin() + 2, std::find(file.begin() + 2, file.end(), '\n'));
  std::istringstream words(line);
  std::string first, second;
  words >> first >> second;
  into.interpreter = first;
  if (first.ends_with("/env") && second == "-S") words >> second;
  if (first.ends_with("/env") && !second.empty()) into.interpreter = found_on_path(second).value_or(first);
}

bool gains_rights(const std::string& path, const struct stat& status) {
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != geteuid()) return true;
  if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 && status.st_gid != getegid()) return true;
  return geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

}  // namespace

std::optional<program_file> look_at(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  program_file program;
  program.path = path;
  program.gains_rights = gains_rights(path, status);
  const std::string text = whole_file(path);
  const bytes file(text);
  if (text.starts_with(ELFMAG)) {
    program.kind = file_kind::elf;
    read_elf(file, program);
  } else if (text.starts_with("#!")) {
    program.kind = file_kind::script;
    read_script(file, program);
  } else if (text.empty() && status.st_size > 0) {
    return std::nullopt;
  }
  return program;
}

std::optional<std::string> found_on_path(const std::string& command) {
  if (command.find('/') != std::string::npos) return command;
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = (folder.empty() ? "." : folder) + "/" + command;
    struct stat status;
    if (stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return std::nullopt;
}

std::optional<std::string> why_not_loadable(const program_file& program) {
  if (program.gains_rights) {
    return "it is set-uid, set-gid or has file capabilities: the dynamic linker preloads nothing into it and Lockfast does not read "
           "LOCKFAST_OPTIONS there; link it with liblockfast-sodium";
  }
  if (program.kind != file_kind::elf) return std::nullopt;
  if (!program.same_machine)
    return "it is built for another processor or word size; preload a liblockfast-sodium that is built for it";
  if (program.statically_linked) {
    return "it is statically linked: nothing can be preloaded; link it with Lockfast (docs/sodium.md, Static linking)";
  }
  const auto own = look_at("/proc/self/exe");
  if (own && own->interpreter.substr(own->interpreter.rfind('/') + 1) !=
                 program.interpreter.substr(program.interpreter.rfind('/') + 1)) {
    return "it uses another C library (" + program.interpreter + "); preload a liblockfast-sodium that is built for it";
  }
  return std::nullopt;
}

}  // namespace lockfast::tools
