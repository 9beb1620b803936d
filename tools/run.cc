// run.cc - `lockfast run`: a program with the drop-in preloaded, and at its end what Lockfast did for it.
//
// The totals come from the library's own report (docs/report.md), which every process of the program appends to one file.
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "tools/command.h"
#include "tools/report.h"
#include "tools/run/program_file.h"
#include "tools/run/summary.h"
#include "tools/run/supervised.h"
#include "tools/shown.h"

namespace lockfast::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* options_variable = "LOCKFAST_OPTIONS";
constexpr const char* preload_variable = "LD_PRELOAD";

struct request {
  std::string report;
  std::vector<std::string> options;
};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string key_of(const std::string& option) { return option.substr(0, option.find('=')); }

// Beside the command: where it is installed, and where it is built.
std::string drop_in() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const std::string name =
      "liblockfast-sodium.so." + std::to_string(LOCKFAST_VERSION_MAJOR) + "." + std::to_string(LOCKFAST_VERSION_MINOR);
  for (const char* const place : {LOCKFAST_LIBRARY_FOLDER, "..", "."}) {
    const fs::path candidate = (folder / place / name).lexically_normal();
    if (fs::exists(candidate)) return candidate;
  }
  throw refusal(name + " is not beside the command; install the library with it (looked in " +
                (folder / LOCKFAST_LIBRARY_FOLDER).lexically_normal().string() + ")");
}

// The options that the program gets: those of the environment, each replaced by one of the same key that is given here.
std::string merged_options(const std::vector<std::string>& given, const std::string& report) {
  std::vector<std::string> all = given;
  std::string inherited = variable(options_variable);
  while (!inherited.empty()) {
    const std::size_t comma = std::min(inherited.find(','), inherited.size());
    const std::string one = inherited.substr(0, comma);
    inherited.erase(0, comma + 1);
    const bool replaced = key_of(one) == "report" || std::any_of(given.begin(), given.end(), [&](const std::string& other) {
                            return key_of(other) == key_of(one);
                          });
    if (!replaced) all.push_back(one);
  }
  std::string text = "report=" + report;
  for (const std::string& one : all) text += "," + one;
  return text;
}

// The library reads the options as it will in the program; its line says what is wrong. In a child, since it ends the process.
void require_valid(const std::string& options) {
  int line[2];
  if (pipe2(line, O_CLOEXEC) != 0) throw refusal("no pipe could be made; close descriptors and try again");
  const pid_t child = fork();
  if (child < 0) throw refusal("no process could be started; the limit on processes is reached (ulimit -u)");
  if (child == 0) {
    dup2(line[1], STDERR_FILENO);
    setenv(options_variable, options.c_str(), 1);
    lockfast_free(lockfast_malloc(1));
    _exit(0);
  }
  close(line[1]);
  std::string text;
  char part[512];
  for (ssize_t size; (size = read(line[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(size));
  close(line[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const std::size_t at = text.find("bad options");
  if (WIFEXITED(status) || at == std::string::npos) return;
  throw refusal(text.substr(at, text.find('\n', at) - at));
}

fs::path temporary_folder() {
  std::error_code error;
  fs::path folder = fs::temp_directory_path(error);
  if (error) throw refusal("there is no folder for temporary files (" + error.message() + "); set TMPDIR to one");
  return folder;
}

// A file that the reports are appended to, and that is removed again where the user named none.
class report_file {
 public:
  explicit report_file(const std::string& named) : temporary_(named.empty()) {
    path_ = (temporary_ ? temporary_folder() / "lockfast-run-XXXXXX" : fs::absolute(named).lexically_normal()).string();
    if (path_.find(',') != std::string::npos) {
      throw refusal("the report's path has a comma, which separates options; name another file");
    }
    // What was written to a pipe or a device cannot be read back, and /dev/full never ends.
    if (std::error_code none; fs::exists(path_, none) && !fs::is_regular_file(path_, none)) {
      throw refusal(named + " is no ordinary file, which the report is read from again; name another file");
    }
    const int descriptor =
        temporary_ ? mkostemp(path_.data(), O_CLOEXEC) : open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0 && temporary_) {
      throw refusal("no file could be made in " + temporary_folder().string() + "; set TMPDIR");
    }
    if (descriptor < 0) throw refusal(named + " cannot be written (" + std::strerror(errno) + "); name another file");
    close(descriptor);
    begin_ = static_cast<std::size_t>(fs::file_size(path_));
  }
  ~report_file() {
    std::error_code ignored;
    if (temporary_) fs::remove(path_, ignored);
  }
  report_file(const report_file&) = delete;
  report_file& operator=(const report_file&) = delete;

  const std::string& path() const { return path_; }

  // What was appended since.
  std::string text() const {
    std::ifstream file(path_, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(begin_));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

 private:
  bool temporary_;
  std::string path_;
  std::size_t begin_ = 0;
};

void require_options(const std::vector<std::string>& options) {
  for (const std::string& one : options) {
    if (one.find('=') == std::string::npos) {
      throw refusal("'" + one + "' is no OPTION=VALUE; put -- before the program: lockfast run [OPTION=VALUE...] -- PROGRAM");
    }
    if (one.find(',') != std::string::npos)
      throw refusal("'" + one + "' has a comma; give each OPTION=VALUE as a word of its own");
    if (key_of(one) == "report") throw refusal("a report goes to a file by --report FILE, not by report=");
  }
}

// The program's end, after it was told of. What is made for the run is gone on return.
program_end run_and_tell(const request& wanted, const program_words& program) {
  require_options(wanted.options);
  if (program.words.empty())
    throw refusal("no program is given; write: lockfast run [OPTION=VALUE...] -- PROGRAM [ARGUMENT...]");
  const std::string library = drop_in();
  const report_file report(wanted.report);
  const std::string options = merged_options(wanted.options, report.path());
  require_valid(options);

  const auto path = found_on_path(program.words[0]);
  const auto file = path ? look_at(*path) : std::nullopt;
  auto served = file;
  if (file && file->kind == file_kind::script) served = look_at(file->interpreter);
  const auto obstacle = served ? why_not_loadable(*served) : std::nullopt;

  std::vector<environment_change> changes;
  // Another C library's dynamic linker would refuse to start the program.
  if (!obstacle) {
    const std::string others = variable(preload_variable);
    changes = {{options_variable, options}, {preload_variable, others.empty() ? library : library + ":" + others}};
  }
  const program_end end = supervise(program.words, changes);
  if (end.start_error != 0) {
    std::cerr << "lockfast run: " << shown(program.words[0]) << ": " << std::strerror(end.start_error)
              << "; name a program that can be run\n";
    return end;
  }
  summarize(read_reports(report.text()), {program.words[0], served, obstacle, end});
  return end;
}

int run(const request& wanted, const program_words& program) {
  const program_end end = run_and_tell(wanted, program);
  if (end.start_error != 0) return end.start_error == ENOENT ? 127 : 126;
  end_alike(end.status);
}

}  // namespace

command run_command(const command_part& whole, const program_words& program) {
  const auto wanted = std::make_shared<request>();
  const command_part parsed = whole.add_part("run", "Run a program on Lockfast, and say what it got");
  parsed.add("--report", wanted->report, "Append the report to FILE (docs/report.md)").type("FILE");
  parsed.add("options", wanted->options, "Options of Lockfast (docs/options.md), as lock=required").type("OPTION=VALUE");
  parsed.footer(
      "lockfast run [--report FILE] [OPTION=VALUE...] -- PROGRAM [ARGUMENT...]\n\n"
      "Preloads the drop-in for libsodium's secure memory. Signals and the exit status pass\n"
      "through; 126 and 127 as of a shell; 2 if the command itself was refused.");
  return {parsed, [wanted, &program] { return run(*wanted, program); }, true};
}

}  // namespace lockfast::tools
