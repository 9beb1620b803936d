// own_folder.h - a folder for a fuzz target's files: in memory, where there is one, that goes with the process.
#ifndef LOCKFAST_FUZZ_OWN_FOLDER_H
#define LOCKFAST_FUZZ_OWN_FOLDER_H

#include <unistd.h>

#include <filesystem>
#include <string>

class own_folder {
 public:
  // what: of the target, for its name.
  explicit own_folder(const std::string& what) {
    const std::filesystem::path base =
        std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    path_ = base / ("lockfast-" + what + "-fuzz-" + std::to_string(getpid()));
    std::filesystem::create_directory(path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }
  ~own_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  own_folder(const own_folder&) = delete;
  own_folder& operator=(const own_folder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

#endif
