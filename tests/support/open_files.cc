// open_files.cc - what /proc/self/fd shows: descriptors, and what they were opened as.
#include <sys/stat.h>

#include "boojum/places.h"

std::vector<std::string> open_files(const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    struct stat state = {};
    if (!gone && target.starts_with(directory + "/") && stat(entry.path().c_str(), &state) == 0 && S_ISREG(state.st_mode)) {
      found.push_back(entry.path());
    }
  }
  return found;
}
