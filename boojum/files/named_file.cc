// named_file.cc - the steps of taking a name, and the removal of what did not come so far.
#include "boojum/files/named_file.h"

#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <span>

#include "boojum/memory/error_note.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

using platform::directory;
using platform::error;

// Removes what has a name, unless somebody holds it: EWOULDBLOCK. ENOENT when it went, or was replaced, meanwhile.
error remove_left_over(directory in, const char* name) {
  platform::file left_over = platform::file::none;
  if (const error refusal = platform::open_named(in, name, platform::opening::read_write, left_over); refusal != 0)
    return refusal;
  error refusal = platform::take_hold(left_over);
  if (refusal == 0) refusal = platform::still_named(in, name, left_over);
  if (refusal == 0) refusal = platform::remove(in, name);
  platform::close(left_over);
  return refusal;
}

// Creates a file, in the place of a left-over where there is one. EWOULDBLOCK when others write there.
error create_or_replace(directory in, const char* name, platform::file& out) {
  constexpr int attempts = 8;  // others may come and go between two of our steps
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const error created = platform::create_named(in, name, out);
    if (created == EAGAIN) continue;
    if (created != EEXIST) return created;
    if (const error refusal = remove_left_over(in, name); refusal != 0 && refusal != ENOENT) return refusal;
  }
  return EWOULDBLOCK;
}

// That a file beside the one of the place could not be created, or not held.
std::unexpected<memory_error> refused_beside(error refusal, const named_place& place, const std::string& name) {
  if (refusal == EWOULDBLOCK) {
    return refused_because(memory_error::busy, place.path().c_str(),
                           "another program or thread saves to this file now, or holds it: try again when it is done");
  }
  const bool has_no_locks = refusal == ENOLCK;
  return refused_by_system(refusal, has_no_locks ? "cannot hold" : "cannot create", place.path_of(name).c_str(),
                           has_no_locks ? memory_error::unsupported : memory_error::file_system);
}

// FNV-1a, by which two long names seldom meet; if they do, their savers wait for each other.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char each : name) hash = (hash ^ static_cast<unsigned char>(each)) * 0x100'0000'01b3;
  return hash;
}

std::string digits_of(std::uint64_t number) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
  return digits;
}

// Where nobody can hold a file, each saver has a name of its own.
error create_under_random_name(directory in, std::string& name, platform::file& out) {
  std::uint64_t number = 0;
  if (const error refusal = platform::try_random(std::as_writable_bytes(std::span(&number, 1))); refusal != 0) return refusal;
  name.append(1, '-').append(digits_of(number));
  return platform::create_unheld(in, name.c_str(), out);
}

// What a file has by its name goes with it, as long as the name is its.
void remove_own(directory in, const std::string& name, platform::file opened) {
  if (opened != platform::file::none && !name.empty() && platform::still_named(in, name.c_str(), opened) == 0) {
    (void)platform::remove(in, name.c_str());
  }
}

}  // namespace

std::string named_place::beside(const char* purpose) const {
  constexpr std::size_t longest = 255 - 17;  // what file systems allow, without room for a random number
  std::string made = "." + name_ + "." + purpose;
  return made.size() <= longest ? made : ".lockfast-" + digits_of(hash_of(name_)) + "." + purpose;
}

std::expected<named_place, memory_error> named_place::of(const std::string& path, memory_error if_missing) {
  std::size_t begin = path.size();
  while (begin != 0 && !platform::is_separator(path[begin - 1])) --begin;
  std::string name = path.substr(begin);
  const std::string folder = begin == 0 ? "." : path.substr(0, begin);
  if (name.empty() || name == "." || name == ".." || path.find('\0') != std::string::npos) {
    return refused_because(memory_error::file_system, path.c_str(),
                           "this is no path of a file: it must end with a file's name");
  }
  platform::directory opened = platform::directory::none;
  if (const error refusal = platform::open_any(folder.c_str(), opened); refusal != 0) {
    return refused_by_system(refusal, "cannot open the folder", folder.c_str(),
                             refusal == ENOENT ? if_missing : memory_error::file_system);
  }
  return named_place(opened, path, std::move(name));
}

std::expected<name_hold, memory_error> name_hold::acquire(const std::string& path) {
  auto place = named_place::of(path, memory_error::file_system);
  if (!place) return std::unexpected(place.error());
  std::string name = place->beside("hold");
  platform::file opened = platform::file::none;
  const error refusal = create_or_replace(place->directory(), name.c_str(), opened);
  if (refusal != 0) return refused_beside(refusal, *place, name);
  return name_hold(std::move(*place), std::move(name), opened);
}

name_hold::~name_hold() { remove_own(place_.directory(), name_, file_.opened()); }

std::expected<atomic_file_writer, memory_error> atomic_file_writer::create(const std::string& path) {
  auto place = named_place::of(path, memory_error::file_system);
  if (!place) return std::unexpected(place.error());
  std::string name = place->beside("saving");
  platform::file opened = platform::file::none;
  error refusal = create_or_replace(place->directory(), name.c_str(), opened);
  if (refusal == ENOLCK) refusal = create_under_random_name(place->directory(), name, opened);
  if (refusal != 0) return refused_beside(refusal, *place, name);
  return atomic_file_writer(std::move(*place), std::move(name), opened);
}

atomic_file_writer::~atomic_file_writer() { remove_own(place_.directory(), name_, file_.opened()); }

std::expected<void, memory_error> atomic_file_writer::commit() {
  const char* const path = place_.path().c_str();
  if (opened() == platform::file::none) {
    return refused_because(memory_error::unavailable, path, "this is a forked child; its parent goes on with the save");
  }
  if (const error refusal = platform::sync(opened()); refusal != 0) {
    return refused_by_system(refusal, "cannot write to the disk", place_.path_of(name_).c_str());
  }
  if (const error refusal = platform::still_named(place_.directory(), name_.c_str(), opened()); refusal != 0) {
    return refused_by_system(refusal, "cannot find what was written,", place_.path_of(name_).c_str());
  }
  if (const error refusal = platform::rename_over(place_.directory(), name_.c_str(), place_.name().c_str(), opened());
      refusal != 0) {
    return refused_by_system(refusal, "cannot replace", path);
  }
  name_.clear();
  if (const error refusal = platform::sync(place_.directory()); refusal != 0) {
    return refused_by_system(refusal, "cannot write to the disk the folder of", path);
  }
  return {};
}

std::expected<file_reader, memory_error> file_reader::open(const std::string& path) {
  const auto place = named_place::of(path, memory_error::not_found);
  if (!place) return std::unexpected(place.error());
  return open(*place);
}

std::expected<file_reader, memory_error> file_reader::open(const named_place& place) {
  platform::file opened = platform::file::none;
  if (const error refusal = platform::open_named(place.directory(), place.name().c_str(), platform::opening::read, opened);
      refusal != 0) {
    return refused_by_system(refusal, "cannot open", place.path().c_str(),
                             refusal == ENOENT ? memory_error::not_found : memory_error::file_system);
  }
  file_reader found(opened, 0);
  if (const error refusal = platform::size_of(opened, found.size_); refusal != 0) {
    return refused_by_system(refusal, "cannot tell the size of", place.path().c_str());
  }
  return found;
}

}  // namespace lockfast::internal
