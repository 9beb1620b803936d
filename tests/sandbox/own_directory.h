// own_directory.h - a directory of the caller's alone, for one test.
#ifndef LOCKFAST_TESTS_SANDBOX_OWN_DIRECTORY_H
#define LOCKFAST_TESTS_SANDBOX_OWN_DIRECTORY_H

#include <cstdlib>
#include <filesystem>

class own_directory {
 public:
  own_directory() {
    char name[] = "/tmp/lockfast-sandbox-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~own_directory() { std::filesystem::remove_all(path_); }
  own_directory(const own_directory&) = delete;
  own_directory& operator=(const own_directory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

#endif
