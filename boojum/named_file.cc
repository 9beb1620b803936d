// named_file.cc - the steps of taking a name, and the removal of what did not come so far.
#include "boojum/named_file.h"

#include <cerrno>

namespace lockfast::internal {
namespace {

using platform::error;

// Removes what has a name, unless somebody holds it: EWOULDBLOCK. ENOENT when it went, or was replaced, meanwhile.
error remove_left_over(platform::directory in, const char* name) {
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
error create_or_replace(platform::directory in, const char* name, platform::file& out) {
  constexpr int attempts = 8;  // others may come and go between two of our steps
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const error created = platform::create_named(in, name, out);
    if (created == EAGAIN) continue;
    if (created != EEXIST) return created;
    if (const error refusal = remove_left_over(in, name); refusal != 0 && refusal != ENOENT) return refusal;
  }
  return EWOULDBLOCK;
}

}  // namespace

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

std::expected<file_to_be, memory_error> file_to_be::create(const std::string& path) {
  auto place = named_place::of(path);
  if (!place) return std::unexpected(memory_error::file_system);
  std::string name = "." + place->name() + ".saving";
  platform::file opened = platform::file::none;
  const error refusal = create_or_replace(place->directory(), name.c_str(), opened);
  if (refusal == EWOULDBLOCK) return std::unexpected(memory_error::busy);
  if (refusal != 0) return std::unexpected(memory_error::file_system);
  return file_to_be(std::move(*place), std::move(name), opened);
}

file_to_be::~file_to_be() {
  if (file_ == platform::file::none) return;
  if (!name_.empty() && platform::still_named(place_.directory(), name_.c_str(), file_) == 0) {
    (void)platform::remove(place_.directory(), name_.c_str());
  }
  platform::close(file_);
}

std::expected<void, memory_error> file_to_be::take_its_name() {
  if (platform::sync(file_) != 0 || platform::still_named(place_.directory(), name_.c_str(), file_) != 0 ||
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
  platform::file opened = platform::file::none;
  if (const error refusal = platform::open_named(place->directory(), place->name().c_str(), platform::opening::read, opened);
      refusal != 0) {
    return std::unexpected(refusal == ENOENT ? memory_error::not_found : memory_error::file_system);
  }
  file_that_is found(opened, 0);
  if (platform::size_of(opened, found.size_) != 0) return std::unexpected(memory_error::file_system);
  return found;
}

}  // namespace lockfast::internal
