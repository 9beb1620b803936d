// doctor.cc - `lockfast doctor`: what this machine and this user give a secret.
//
// Files say some of it (doctor/machine.h), attempts in a child the rest (doctor/trials.h); doctor/findings.h says what follows.
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/doctor/findings.h"
#include "tools/doctor/machine.h"
#include "tools/doctor/trials.h"
#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

using json = nlohmann::ordered_json;

struct request {
  bool as_json = false;
  std::string root;
};

constexpr const char* trials_file = "/trials.json";

json as_json(const trial_results& results) {
  json all = json::object();
  for (const auto& [name, one] : results) {
    if (!one.tried) continue;
    all[name] = {{"signal", one.signal}, {"step", one.step}, {"errno", one.error}, {"value", one.value}, {"more", one.more}};
  }
  return all;
}

// What was tried on another machine: the "trials" that its `doctor --json` printed.
trial_results read_trials(const std::string& path) {
  trial_results results;
  const std::string no_trials = path + " is no list of trials; give what `lockfast doctor --json` prints as \"trials\"";
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return results;
  if (!std::filesystem::is_regular_file(path, none)) throw refusal(no_trials);
  std::ifstream file(path);
  if (!file) throw refusal(path + " cannot be read (" + std::strerror(errno) + "); run the command as its owner");
  try {
    const json all = json::parse(file);
    for (const auto& [name, one] : all.items()) {
      results[name] = {true,
                       one.value("signal", 0),
                       one.value("step", 0),
                       one.value("errno", 0),
                       one.value("value", std::uint64_t{0}),
                       one.value("more", false)};
    }
  } catch (const json::exception&) {
    throw refusal(no_trials);
  }
  return results;
}

int status_of(const std::vector<finding>& all) {
  const auto any = [&](verdict is) {
    return std::any_of(all.begin(), all.end(), [=](const finding& one) { return one.is == is; });
  };
  if (any(verdict::weak) || any(verdict::missing)) return found_something;
  return any(verdict::unknown) ? bad_request : all_well;
}

std::string about(const machine& on) {
  return "Linux " + on.text("/proc/sys/kernel/osrelease").value_or("?") + ", pages of " +
         size_text(static_cast<unsigned long long>(sysconf(_SC_PAGESIZE)));
}

void print_json(const machine& on, const trial_results& results, const std::vector<finding>& all) {
  json list = json::array();
  for (const finding& one : all) {
    list.push_back(
        {{"name", one.name}, {"verdict", name_of(one.is)}, {"saw", one.saw}, {"means", one.means}, {"mend", one.mend}});
  }
  const json whole = {{"version", LOCKFAST_VERSION},
                      {"kernel", on.text("/proc/sys/kernel/osrelease").value_or("")},
                      {"page_size", sysconf(_SC_PAGESIZE)},
                      {"status", status_of(all)},
                      {"findings", list},
                      {"trials", as_json(results)}};
  std::cout << whole.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

colour shade(verdict is) {
  switch (is) {
    case verdict::good: return colour::green;
    case verdict::weak: return colour::yellow;
    case verdict::missing: return colour::red;
    case verdict::unknown: break;
  }
  return colour::magenta;
}

void print_text(const machine& on, const std::vector<finding>& all) {
  constexpr std::size_t verdict_width = 16, title_width = 17, text_column = verdict_width + title_width;
  const terminal screen(STDOUT_FILENO);
  std::cout << screen.painted(colour::bold, "lockfast doctor") << ": " << about(on) << "\n\n";
  for (const finding& one : all) {
    std::string is = name_of(one.is), title = one.title;
    is.resize(verdict_width, ' ');
    title.resize(title_width, ' ');
    std::cout << screen.painted(shade(one.is), is) << screen.painted(colour::bold, title)
              << screen.wrapped(one.saw, text_column) << '\n';
    const std::string indent(text_column, ' ');
    std::cout << indent << screen.painted(colour::faint, screen.wrapped(one.means, text_column)) << '\n';
    // A line to copy is not broken.
    if (one.is != verdict::good && !one.mend.empty()) std::cout << indent << screen.painted(colour::cyan, one.mend) << '\n';
  }
  const auto count = [&](verdict is) {
    return std::count_if(all.begin(), all.end(), [=](const finding& one) { return one.is == is; });
  };
  std::cout << '\n'
            << count(verdict::good) << " good, " << count(verdict::weak) << " weak, " << count(verdict::missing) << " missing, "
            << count(verdict::unknown) << " not looked at\n";
}

int run(const request& wanted) {
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take away how a trial ended
  if (!wanted.root.empty() && access((wanted.root + "/proc").c_str(), R_OK) != 0) {
    throw refusal(wanted.root + " has no folder proc; give a folder with the files of /proc and /sys");
  }
  const machine on(wanted.root);
  const trial_results results = on.is_this_one() ? try_everything(on.memory_room()) : read_trials(wanted.root + trials_file);
  const std::vector<finding> all = examine(on, results);
  wanted.as_json ? print_json(on, results, all) : print_text(on, all);
  return status_of(all);
}

}  // namespace

command doctor_command(const command_part& whole) {
  const auto wanted = std::make_shared<request>();
  const command_part parsed = whole.add_part("doctor", "Say what this machine gives a secret, and what mends it");
  parsed.add_flag("--json", wanted->as_json, "Print it for a program to read");
  parsed.add("--root", wanted->root, "Read the files under DIR instead; try nothing").type("DIR");
  parsed.footer(
      "Tries each thing in a child, and changes nothing. Exit status: 0 all is good; 1 something\n"
      "is weak or missing; 2 the rest is good, but something could not be looked at.");
  return {parsed, [wanted] { return run(*wanted); }};
}

}  // namespace lockfast::tools
