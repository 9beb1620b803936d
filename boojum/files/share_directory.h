// share_directory.h - the directory in which shares and sealed secrets lie while their process lives.
//
// One object for each directory in a process, shared by all that have files there; a directory that was removed behind our back
// and made again is another one. The first to open it removes what processes
// that are gone have left: files that nobody holds. They are overwritten and synced first.
//
// Threads: every function is safe from any number of threads.
#ifndef LOCKFAST_BOOJUM_FILES_SHARE_DIRECTORY_H
#define LOCKFAST_BOOJUM_FILES_SHARE_DIRECTORY_H

#include <lockfast/memory_error.hpp>

#include <expected>
#include <memory>
#include <string>

#include "platform/files.h"

namespace lockfast::internal {

// What the names of our files begin with.
constexpr const char* share_prefix = "share-";

// Writes zeros over the whole of a file and syncs it.
[[nodiscard]] platform::error overwrite(platform::file of);

// Overwrites, syncs and removes a file that nobody holds. What cannot be removed stays for the next start.
platform::error remove_left_over(platform::directory in, const char* name);

class share_directory {
 public:
  // The directory of that path, or the default one for an empty path; created where it is missing. std::bad_alloc.
  [[nodiscard]] static std::expected<std::shared_ptr<share_directory>, memory_error> open(const std::string& path);

  share_directory(const share_directory&) = delete;
  share_directory& operator=(const share_directory&) = delete;
  ~share_directory() { platform::close(opened_); }

  [[nodiscard]] platform::directory opened() const { return opened_; }
  // As it was asked for.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  share_directory() = default;

  platform::directory opened_ = platform::directory::none;
  std::string path_;
};

}  // namespace lockfast::internal

#endif
