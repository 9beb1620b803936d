// share_directory.cc - one handle for a directory, and what is done with left-overs.
#include "boojum/files/share_directory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "boojum/memory/error_note.h"
#include "boojum/memory/fork.h"

namespace lockfast::internal {
namespace {

using open_directories = std::map<std::string, std::weak_ptr<share_directory>>;

// Requires directories_mutex(). Never destroyed: secrets of static storage may open a directory when the process ends.
open_directories& known() {
  alignas(open_directories) static std::byte room[sizeof(open_directories)];
  static auto* const one = new (room) open_directories;
  return *one;
}

void visit(void* context, const char* name) {
  if (std::strncmp(name, share_prefix, std::strlen(share_prefix)) != 0) return;
  (void)remove_left_over(*static_cast<platform::directory*>(context), name);
}

}  // namespace

platform::error overwrite(platform::file of) {
  static constexpr std::array<std::byte, 16384> zeros{};
  std::uint64_t size = 0;
  if (const auto refusal = platform::size_of(of, size); refusal != 0) return refusal;
  for (std::uint64_t at = 0; at < size; at += zeros.size()) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), size - at));
    if (const auto refusal = platform::write_at(of, at, std::span(zeros).first(length)); refusal != 0) return refusal;
  }
  return platform::sync(of);
}

platform::error remove_left_over(platform::directory in, const char* name) {
  platform::file found = platform::file::none;
  platform::error refusal = platform::open_named(in, name, platform::opening::read_write, found);
  if (refusal != 0) return refusal;
  refusal = platform::take_hold(found);
  if (refusal == 0) refusal = overwrite(found);
  if (refusal == 0) {
    platform::forget(found);
    refusal = platform::remove(in, name);
  }
  platform::close(found);
  return refusal;
}

std::expected<std::shared_ptr<share_directory>, memory_error> share_directory::open(const std::string& path) {
  std::array<char, platform::path_capacity> by_default{};
  if (path.empty()) {
    if (const auto refusal = platform::default_directory(by_default); refusal != 0) {
      return refused_by_system(refusal, "cannot tell the folder for short-lived files", nullptr);
    }
  }
  // The system would see the part before it alone.
  if (path.find('\0') != std::string::npos) {
    return refused_because(memory_error::file_system, path.c_str(), "this is no path of a folder: it has a byte of 0");
  }
  const std::string wanted = path.empty() ? std::string(by_default.data()) : path;

  (void)fork_generation();  // registers the handlers that hold the mutex over a fork
  const std::scoped_lock held(directories_mutex());
  std::weak_ptr<share_directory>& slot = known()[wanted];
  std::shared_ptr<share_directory> made(new share_directory);
  made->path_ = wanted;
  if (const auto refusal = platform::open_ours(wanted.c_str(), platform::missing::create, made->opened_); refusal != 0) {
    return refused_by_system(refusal, "cannot use the folder", wanted.c_str());
  }
  if (auto there = slot.lock(); there != nullptr && platform::same(there->opened_, made->opened_)) return there;
  if (const auto refusal = platform::list(made->opened_, visit, &made->opened_); refusal != 0) {
    return refused_by_system(refusal, "cannot list the folder", wanted.c_str());
  }
  slot = made;
  return made;
}

}  // namespace lockfast::internal
