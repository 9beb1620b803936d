// core_file.cc - core(5): the filter, the limit, the pattern.
#include "tools/attacks/core_file.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace lockfast::attacks {
namespace {

// What the kernel is to put in: private and shared, anonymous and of files, huge pages.
bool dump_everything() {
  std::FILE* const filter = std::fopen("/proc/self/coredump_filter", "we");
  return filter != nullptr && std::fputs("0x1ff", filter) >= 0 && std::fclose(filter) == 0;
}

[[noreturn]] void die_in(const std::string& directory, const std::function<void()>& body) {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  rlimit allowed{};
  if (setrlimit(RLIMIT_CORE, &unlimited) != 0 && getrlimit(RLIMIT_CORE, &allowed) == 0) {
    allowed.rlim_cur = allowed.rlim_max;
    (void)setrlimit(RLIMIT_CORE, &allowed);
  }
  if (chdir(directory.c_str()) != 0 || !dump_everything()) _exit(3);
  body();
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

}  // namespace

core_file core_of(const std::function<void()>& body) {
  std::error_code fault;
  std::string directory = (std::filesystem::temp_directory_path(fault) / "lockfast-core-XXXXXX").string();
  if (fault || mkdtemp(directory.data()) == nullptr) return {};
  // For a body that changes its user; nobody else can read what lies in it, or list it.
  using enum std::filesystem::perms;
  if (geteuid() == 0)
    std::filesystem::permissions(directory, sticky_bit | owner_all | group_write | group_exec | others_write | others_exec,
                                 fault);
  const pid_t child = fork();
  if (child == 0) die_in(directory, body);
  core_file core;
  int state = 0;
  if (child > 0 && waitpid(child, &state, 0) == child && WIFSIGNALED(state)) core.signal = WTERMSIG(state);
  for (const auto& file : std::filesystem::directory_iterator(directory, fault)) {
    if (!file.is_regular_file() || file.is_symlink()) continue;
    std::ifstream stream(file.path(), std::ios::binary);
    core.bytes.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::filesystem::remove_all(directory, fault);
  return core;
}

std::string core_obstacle() {
  std::ifstream file("/proc/sys/kernel/core_pattern");
  std::string pattern;
  std::getline(file, pattern);
  if (pattern.starts_with('|') || pattern.starts_with('@')) return "cores go to a program: " + pattern;
  if (pattern.find('/') != std::string::npos) return "cores go to another folder: " + pattern;
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 && geteuid() != 0) return "the hard limit of cores is 0";
  return {};
}

}  // namespace lockfast::attacks
