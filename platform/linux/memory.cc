// memory.cc - how much memory there is for one more request: /proc/meminfo, and the memory cgroups that the process is in.
//
//    /proc/self/mountinfo:  ... ROOT MOUNT_POINT ... - cgroup2 ...     or  - cgroup ... OPTIONS with "memory"
//    /proc/self/cgroup:     0::PATH                                    or  N:...,memory,...:PATH
//
//    MOUNT_POINT/PATH without ROOT, and every folder above it up to MOUNT_POINT, may have a limit
//
// A path of more than some 400 bytes is taken for no limit.
#include <stdint.h>
#include <string.h>

#include <string_view>

#include "platform/errno_saver.h"
#include "platform/linux/proc_file.h"
#include "platform/platform.h"

namespace lockfast::platform {
namespace {

constexpr uint64_t no_limit = UINT64_MAX;

// As starts_with, which calls the C++ run-time library where the compiler does not optimize.
[[nodiscard]] bool begins_with(std::string_view text, std::string_view beginning) {
  return text.size() >= beginning.size() && memcmp(text.data(), beginning.data(), beginning.size()) == 0;
}

// The lines of a file, each cut to what fits.
class line_file {
 public:
  explicit line_file(const char* path) : file_(path) {}

  // False at the end. The line is without its end, and valid until the next call.
  [[nodiscard]] bool next(std::string_view& line) {
    std::size_t length = 0;
    for (;;) {
      if (piece_.empty()) piece_ = file_.next_piece();
      if (piece_.empty()) break;
      const char character = piece_.front();
      piece_ = piece_.subspan(1);
      if (character == '\n') {
        line = {line_, length};
        return true;
      }
      if (length < sizeof line_) line_[length++] = character;
    }
    line = {line_, length};
    return length != 0;
  }

 private:
  text_file file_;
  std::span<const char> piece_;
  char line_[512];
};

// The text up to a mark, which is taken off what is left; all of it where there is no mark.
std::string_view take_until(std::string_view& left, char mark) {
  const std::size_t at = left.find(mark);
  const std::string_view taken(left.data(), at == std::string_view::npos ? left.size() : at);
  left.remove_prefix(at == std::string_view::npos ? left.size() : at + 1);
  return taken;
}

// Whether a word is in a list with commas.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (take_until(list, ',') == word) return true;
  }
  return false;
}

// The first number of a text; no_limit for "max", and where there is none.
uint64_t number_in(std::string_view text) {
  uint64_t number = 0;
  bool any = false;
  for (const char character : text) {
    const bool digit = character >= '0' && character <= '9';
    if (!digit && any) break;
    if (!digit && character != ' ') return no_limit;
    if (!digit) continue;
    any = true;
    if (__builtin_mul_overflow(number, uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<uint64_t>(character - '0'), &number)) {
      return no_limit;
    }
  }
  return any ? number : no_limit;
}

uint64_t less(uint64_t from, uint64_t taken) { return from == no_limit ? from : from > taken ? from - taken : 0; }
uint64_t more(uint64_t to, uint64_t added) { return to > no_limit - added ? no_limit : to + added; }
uint64_t least(uint64_t one, uint64_t other) { return one < other ? one : other; }

// A path that grows at its end.
class path {
 public:
  [[nodiscard]] bool add(std::string_view text) {
    if (text.size() >= sizeof text_ - length_) return false;
    memcpy(text_ + length_, text.data(), text.size());
    length_ += text.size();
    text_[length_] = '\0';
    return true;
  }
  [[nodiscard]] std::size_t length() const { return length_; }
  void cut(std::size_t length) { text_[length_ = length] = '\0'; }
  // Takes the last name off, down to a length; false where it is down there already.
  [[nodiscard]] bool cut_name(std::size_t min_length) {
    if (length_ <= min_length) return false;
    const std::size_t slash = std::string_view(text_, length_).rfind('/');
    cut(slash < min_length || slash == std::string_view::npos ? min_length : slash);
    return true;
  }
  [[nodiscard]] const char* text() const { return text_; }

 private:
  char text_[448];
  std::size_t length_ = 0;
};

// What the two versions of cgroups call the same things.
struct version {
  std::string_view file_system;
  std::string_view limit;
  std::string_view soft_limit;  // beyond which the process is slowed until it hardly runs; empty where there is none
  std::string_view usage;
  std::string_view cached[2];  // of memory.stat: pages of files, which are given up first
};
constexpr version first_version = {
    "cgroup", "/memory.limit_in_bytes", "", "/memory.usage_in_bytes", {"total_active_file", "total_inactive_file"}};
constexpr version second_version = {
    "cgroup2", "/memory.max", "/memory.high", "/memory.current", {"active_file", "inactive_file"}};

[[gnu::noinline]] uint64_t number_of(path& folder, std::string_view name) {
  const std::size_t length = folder.length();
  uint64_t number = no_limit;
  if (folder.add(name)) {
    text_file file(folder.text());
    const auto piece = file.next_piece();
    number = number_in({piece.data(), piece.size()});
  }
  folder.cut(length);
  return number;
}

[[gnu::noinline]] uint64_t cached_of(path& folder, const version& which) {
  const std::size_t length = folder.length();
  uint64_t cached = 0;
  if (folder.add("/memory.stat")) {
    line_file file(folder.text());
    for (std::string_view line; file.next(line);) {
      const std::string_view name = take_until(line, ' ');
      if (name == which.cached[0] || name == which.cached[1]) cached = more(cached, number_in(line));
    }
  }
  folder.cut(length);
  return cached;
}

// Where the memory cgroups of a version are mounted, and which of them is the root of the mount.
[[gnu::noinline]] bool find_mount(const version& which, path& mount_point, path& root) {
  line_file mounts("/proc/self/mountinfo");
  for (std::string_view line; mounts.next(line);) {
    for (int field = 0; field < 3; ++field) (void)take_until(line, ' ');
    const std::string_view mounted = take_until(line, ' ');
    const std::string_view place = take_until(line, ' ');
    while (!line.empty() && take_until(line, ' ') != "-") {
    }
    if (take_until(line, ' ') != which.file_system) continue;
    (void)take_until(line, ' ');
    if (which.soft_limit.empty() && !lists(line, "memory")) continue;
    return mount_point.add(place) && root.add(mounted);
  }
  return false;
}

// Adds the path of this process's cgroup below the root of the mount.
[[gnu::noinline]] bool add_own(const version& which, path& folder, const path& root) {
  line_file groups("/proc/self/cgroup");
  for (std::string_view line; groups.next(line);) {
    (void)take_until(line, ':');
    const std::string_view controllers = take_until(line, ':');
    if (which.soft_limit.empty() ? !lists(controllers, "memory") : !controllers.empty()) continue;
    const std::string_view top(root.text(), root.length());
    if (top.size() > 1 && begins_with(line, top)) line.remove_prefix(top.size());
    // Outside of what is mounted only the mount's own root can be read; at it there is no name to add.
    if (begins_with(line, "/..") || line == "/") return true;
    return folder.add(line);
  }
  return false;
}

// What the limits of the version's cgroups leave, where so much could go to swap.
[[gnu::noinline]] uint64_t room_in_groups(const version& which, uint64_t swap) {
  path folder;
  std::size_t top = 0;
  {
    path root;
    if (!find_mount(which, folder, root)) return no_limit;
    top = folder.length();
    if (!add_own(which, folder, root)) return no_limit;
  }
  uint64_t room = no_limit;
  do {
    uint64_t limit = number_of(folder, which.limit);
    if (!which.soft_limit.empty()) limit = least(limit, number_of(folder, which.soft_limit));
    // An unlimited one of the first version has a limit of nearly 2^63.
    if (limit >= uint64_t{1} << 62) continue;
    const uint64_t used = number_of(folder, which.usage);
    if (used == no_limit) continue;
    const uint64_t kept = less(used, more(cached_of(folder, which), swap));
    room = least(room, less(limit, kept));
  } while (folder.cut_name(top));
  return room;
}

struct machine {
  uint64_t available = no_limit;
  uint64_t swap = 0;
};

[[gnu::noinline]] machine machine_now() {
  machine now;
  line_file file("/proc/meminfo");
  for (std::string_view line; file.next(line);) {
    const std::string_view name = take_until(line, ':');
    const uint64_t kibibytes = number_in(line);
    if (kibibytes > no_limit / 1024) continue;
    if (name == "MemAvailable") now.available = kibibytes * 1024;
    if (name == "SwapFree") now.swap = kibibytes * 1024;
  }
  return now;
}

}  // namespace

std::size_t memory_available() {
  const errno_saver kept;
  const machine now = machine_now();
  uint64_t room = more(now.available, now.swap);
  for (const version* const which : {&first_version, &second_version}) room = least(room, room_in_groups(*which, now.swap));
  return room < SIZE_MAX ? static_cast<std::size_t>(room) : SIZE_MAX;
}

}  // namespace lockfast::platform
