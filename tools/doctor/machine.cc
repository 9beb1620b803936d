#include "tools/doctor/machine.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace lockfast::tools {

namespace fs = std::filesystem;

bool machine::has(const std::string& path) const {
  std::error_code ignored;
  return fs::exists(root_ + path, ignored);
}

std::optional<std::string> machine::text(const std::string& path) const {
  // Under another root there may be anything: a folder, or a pipe that nobody writes to.
  if (std::error_code none; !fs::is_regular_file(root_ + path, none)) return std::nullopt;
  std::ifstream file(root_ + path);
  if (!file) return std::nullopt;
  std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return std::nullopt;
  while (all.ends_with('\n')) all.pop_back();
  return all;
}

std::optional<std::uint64_t> machine::number(const std::string& path) const {
  const auto all = text(path);
  if (!all || all->empty()) return std::nullopt;
  if (*all == "max") return unlimited;
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(all->c_str(), &end, 10);
  return end == all->c_str() ? std::nullopt : std::optional(value);
}

std::optional<std::string> machine::status(const std::string& key) const {
  std::istringstream lines(text("/proc/self/status").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key + ":")) continue;
    const std::size_t at = line.find_first_not_of(" \t", key.size() + 1);
    return at == std::string::npos ? "" : line.substr(at);
  }
  return std::nullopt;
}

std::optional<limits> machine::limit(const std::string& name) const {
  const auto value = [](const std::string& word) {
    return word == "unlimited" ? unlimited : std::strtoull(word.c_str(), nullptr, 10);
  };
  std::istringstream lines(text("/proc/self/limits").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream words(line.substr(name.size()));
    std::string soft, hard;
    if (words >> soft >> hard) return limits{value(soft), value(hard)};
  }
  return std::nullopt;
}

std::optional<bool> machine::may_lock_without_limit() const {
  constexpr unsigned ipc_lock = 14;
  const auto rights = status("CapEff");
  if (!rights) return std::nullopt;
  // The first user namespace maps every number to itself.
  std::istringstream map(text("/proc/self/uid_map").value_or(""));
  std::uint64_t inside = 0, outside = 0, count = 0;
  map >> inside >> outside >> count;
  const bool initial = inside == 0 && outside == 0 && count == 4294967295;
  return initial && ((std::strtoull(rights->c_str(), nullptr, 16) >> ipc_lock) & 1) != 0;
}

// A device of the mapper that encrypts, or one that lies on such devices alone.
bool machine::encrypted(const std::string& folder) const {
  if (text(folder + "/dm/uuid").value_or("").starts_with("CRYPT-")) return true;
  std::error_code failed;
  std::vector<std::string> below;
  for (fs::directory_iterator at(root_ + folder + "/slaves", failed), end; !failed && at != end; at.increment(failed)) {
    below.push_back(at->path().filename());
  }
  return !below.empty() && std::all_of(below.begin(), below.end(),
                                       [&](const std::string& name) { return encrypted("/sys/class/block/" + name); });
}

std::optional<std::vector<swap_device>> machine::swaps() const {
  const auto all = text("/proc/swaps");
  if (!all) return std::nullopt;
  std::vector<swap_device> found;
  std::istringstream lines(*all);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name, type;
    words >> name >> type;
    swap_device device{name, swap_device::plain};
    std::string folder = "/sys/class/block/" + name.substr(name.rfind('/') + 1);
    if (type == "file") {
      struct stat where;
      if (!is_this_one() || stat(name.c_str(), &where) != 0 || major(where.st_dev) == 0) {
        device.kind = swap_device::unknown;
        found.push_back(device);
        continue;
      }
      folder = "/sys/dev/block/" + std::to_string(major(where.st_dev)) + ":" + std::to_string(minor(where.st_dev));
    }
    const std::string backing = text(folder + "/backing_dev").value_or("none");
    if (name.starts_with("/dev/zram") && backing == "none") {
      device.kind = swap_device::in_ram;
    } else if (encrypted(folder)) {
      device.kind = swap_device::encrypted;
    } else if (!has(folder)) {
      device.kind = swap_device::unknown;
    }
    found.push_back(device);
  }
  return found;
}

home machine::where() const {
  const std::string group = text("/proc/self/cgroup").value_or("");
  for (const char* const name : {"docker", "kubepods", "libpod", "lxc"}) {
    if (group.find(name) != std::string::npos) return home::container;
  }
  if (has("/.dockerenv") || has("/run/.containerenv") || has("/run/systemd/container")) return home::container;
  return group.find(".service") != std::string::npos && group.find("user@") == std::string::npos ? home::unit : home::login;
}

namespace {

// "0::/path" of version 2, or "N:memory:/path" of version 1, and the folders from there up.
std::vector<std::string> memory_groups(const std::string& table) {
  std::vector<std::string> folders;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    const bool second = line.starts_with("0::");
    const std::size_t first = line.find(":memory:");
    if (!second && first == std::string::npos) continue;
    const std::string base = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    std::string path = second ? line.substr(3) : line.substr(first + 8);
    for (;; path.erase(path.rfind('/'))) {
      if (path == "/") path.clear();
      folders.push_back(base + path);
      if (path.find('/') == std::string::npos) break;
    }
  }
  return folders;
}

constexpr std::uint64_t version_1_without_limit = std::uint64_t{1} << 62;

}  // namespace

std::uint64_t machine::memory_limit() const {
  std::uint64_t least = unlimited;
  for (const std::string& folder : memory_groups(text("/proc/self/cgroup").value_or(""))) {
    for (const char* const file : {"/memory.max", "/memory.limit_in_bytes"}) {
      const std::uint64_t limit = number(folder + file).value_or(unlimited);
      if (limit < version_1_without_limit) least = std::min(least, limit);
    }
  }
  return least;
}

std::uint64_t machine::memory_room() const {
  std::uint64_t room = unlimited;
  for (const std::string& folder : memory_groups(text("/proc/self/cgroup").value_or(""))) {
    for (const auto& [limit, used] :
         {std::pair("/memory.max", "/memory.current"), std::pair("/memory.limit_in_bytes", "/memory.usage_in_bytes")}) {
      const std::uint64_t most = number(folder + limit).value_or(unlimited);
      const std::uint64_t now = number(folder + used).value_or(0);
      if (most < version_1_without_limit) room = std::min(room, most > now ? most - now : 0);
    }
  }
  std::istringstream lines(text("/proc/meminfo").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("MemAvailable:"))
      room = std::min<std::uint64_t>(room, std::strtoull(line.c_str() + 13, nullptr, 10) * 1024);
  }
  return room;
}

}  // namespace lockfast::tools
