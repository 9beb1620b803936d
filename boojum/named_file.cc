// named_file.cc - the steps of taking a name, and the removal of what did not come so far.
#include "boojum/named_file.h"

#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

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

memory_error told_as(error refusal) {
  return refusal == EWOULDBLOCK ? memory_error::busy : refusal == ENOLCK ? memory_error::unsupported : memory_error::file_system;
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
  lockfast_random(&number, sizeof number);
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

std::expected<named_place, memory_error> named_place::of(const std::string& path) {
  std::size_t begin = path.size();
  while (begin != 0 && !platform::is_separator(path[begin - 1])) --begin;
  std::string name = path.substr(begin);
  const std::string folder = begin == 0 ? "." : path.substr(0, begin);
  if (name.empty() || name == "." || name == ".." || path.find('\0') != std::string::npos) {
    return std::unexpected(memory_error::file_system);
  }
  platform::directory opened = platform::directory::none;
  if (const error refusal = platform::open_any(folder.c_str(), opened); refusal != 0) {
    return std::unexpected(refusal == ENOENT ? memory_error::not_found : memory_error::file_system);
  }
  return named_place(opened, std::move(name));
}

std::expected<name_hold, memory_error> name_hold::acquire(const std::string& path) {
  auto place = named_place::of(path);
  if (!place) return std::unexpected(memory_error::file_system);
  std::string name = place->beside("hold");
  platform::file opened = platform::file::none;
  const error refusal = create_or_replace(place->directory(), name.c_str(), opened);
  if (refusal != 0) return std::unexpected(told_as(refusal));
  return name_hold(std::move(*place), std::move(name), opened);
}

name_hold::~name_hold() { remove_own(place_.directory(), name_, file_.opened()); }

std::expected<file_to_be, memory_error> file_to_be::create(const std::string& path) {
  auto place = named_place::of(path);
  if (!place) return std::unexpected(memory_error::file_system);
  std::string name = place->beside("saving");
  platform::file opened = platform::file::none;
  error refusal = create_or_replace(place->directory(), name.c_str(), opened);
  if (refusal == ENOLCK) refusal = create_under_random_name(place->directory(), name, opened);
  if (refusal != 0) return std::unexpected(told_as(refusal));
  return file_to_be(std::move(*place), std::move(name), opened);
}

file_to_be::~file_to_be() { remove_own(place_.directory(), name_, file_.opened()); }

std::expected<void, memory_error> file_to_be::take_its_name() {
  if (opened() == platform::file::none) return std::unexpected(memory_error::unavailable);
  if (platform::sync(opened()) != 0 || platform::still_named(place_.directory(), name_.c_str(), opened()) != 0 ||
      platform::rename_over(place_.directory(), name_.c_str(), place_.name().c_str()) != 0) {
    return std::unexpected(memory_error::file_system);
  }
  name_.clear();
  if (platform::sync(place_.directory()) != 0) return std::unexpected(memory_error::file_system);
  return {};
}

std::expected<file_that_is, memory_error> file_that_is::open(const std::string& path) {
  const auto place = named_place::of(path);
  if (!place) return std::unexpected(place.error());
  return open(*place);
}

std::expected<file_that_is, memory_error> file_that_is::open(const named_place& place) {
  platform::file opened = platform::file::none;
  if (const error refusal = platform::open_named(place.directory(), place.name().c_str(), platform::opening::read, opened);
      refusal != 0) {
    return std::unexpected(refusal == ENOENT ? memory_error::not_found : memory_error::file_system);
  }
  file_that_is found(opened, 0);
  if (platform::size_of(opened, found.size_) != 0) return std::unexpected(memory_error::file_system);
  return found;
}

}  // namespace lockfast::internal
