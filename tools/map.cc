// map.cc - `lockfast map`: draws the pools of a process from its report.
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>

#include "tools/command.h"
#include "tools/map/drawing.h"
#include "tools/picture.h"
#include "tools/report.h"
#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

struct request {
  std::string report, svg;
  bool demo = false;
};

// A process with something of each kind: open, closed and sealed, freed, and grouped secrets. Ends without its exit handlers.
[[noreturn]] void show_something(int to) {
  lockfast_options options{};
  options.environment = LOCKFAST_ENVIRONMENT_IGNORED;
  options.report_map = LOCKFAST_REPORT_MAP_ON;
  options.rest = LOCKFAST_REST_SEAL;
  options.lock = LOCKFAST_LOCK_PREFERRED;
  bool done = lockfast_configure(&options) == 0;
  void* isolated[12];
  for (void*& one : isolated) done = (one = lockfast_malloc_isolated(32)) != nullptr && done;
  for (std::size_t at = 0; at < 4; ++at) done = lockfast_protect(isolated[3 * at], LOCKFAST_NOACCESS) == 0 && done;
  for (std::size_t at = 0; at < 3; ++at) lockfast_free(isolated[3 * at + 1]);
  done = lockfast_malloc_isolated(20000) != nullptr && done;
  void* grouped[40];
  for (void*& one : grouped) done = (one = lockfast_malloc(32)) != nullptr && done;
  for (std::size_t at = 0; at < std::size(grouped); at += 3) lockfast_free(grouped[at]);
  done = lockfast_malloc(1000) != nullptr && done;
  _exit(done && lockfast_report(to) == 0 ? 0 : 1);
}

// The map of a million secrets, each in another state than its neighbour, has 20 MB at most.
constexpr std::size_t max_report = std::size_t{256} << 20;  // bytes

// So that a device without an end is told at its beginning, and a pipe without one before it fills the memory.
bool may_be_report(const std::string& text) { return text.empty() || (text.front() == '{' && text.size() <= max_report); }

// Appends what a descriptor gives, to its end or until it is seen to be no report, and closes it. Returns 0, or the errno of a read that
// failed.
int read_and_close(int descriptor, std::string& into) {
  char part[4096];
  ssize_t size = 0;
  while (may_be_report(into) && (size = read(descriptor, part, sizeof part)) > 0) {
    into.append(part, static_cast<std::size_t>(size));
  }
  const int error = size < 0 ? errno : 0;
  close(descriptor);
  return error;
}

std::string demo_report() {
  int line[2];
  if (pipe2(line, O_CLOEXEC) != 0) throw refusal("no pipe could be made; close descriptors and try again");
  const pid_t child = fork();
  if (child < 0) throw refusal("no process could be started; the limit on processes is reached (ulimit -u)");
  if (child == 0) show_something(line[1]);
  close(line[1]);
  std::string text;
  const int error = read_and_close(line[0], text);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0 || error != 0) throw refusal("the demonstration got no memory; `lockfast doctor` tells why");
  return text;
}

std::string text_of(const std::string& path) {
  std::string text;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const int error = file < 0 ? errno : read_and_close(file, text);
  if (error != 0) throw refusal(path + " cannot be read (" + std::strerror(error) + "); name a report");
  if (!may_be_report(text)) throw refusal(path + " is no report; give a file that `report=` has written");
  return text;
}

int run(const request& wanted) {
  if (wanted.demo != wanted.report.empty()) throw refusal("give a REPORT, or --demo, and not both");
  const std::string text = wanted.demo ? demo_report() : text_of(wanted.report);
  const auto drawings = draw(read_reports(text));
  if (drawings.empty()) {
    throw refusal(wanted.report +
                  " has no map; write it with report_map=on, as by: lockfast run --report FILE report_map=on -- PROGRAM");
  }
  if (!wanted.svg.empty()) {
    write_file(wanted.svg, as_svg(drawings));
  } else {
    std::cout << as_text(drawings, terminal(STDOUT_FILENO));
  }
  return all_well;
}

}  // namespace

command map_command(const command_part& whole) {
  const auto wanted = std::make_shared<request>();
  const command_part parsed = whole.add_part("map", "Draw where a program's secrets lie, from its report");
  parsed.add("report", wanted->report, "A report with report_map=on (docs/report.md)").type("REPORT");
  parsed.add_flag("--demo", wanted->demo, "Draw a small process of our own instead");
  parsed.add("--svg", wanted->svg, "Write a picture to FILE instead").type("FILE");
  parsed.footer(
      "A report with a map: lockfast run --report FILE report_map=on -- PROGRAM\n"
      "It holds no secret, and addresses only if report_addresses=on asked for them.");
  return {parsed, [wanted] { return run(*wanted); }};
}

}  // namespace lockfast::tools
