// heist.cc - `lockfast heist`: the attacks of docs/threat_model.md on this machine, against plain malloc, libsodium and Lockfast.
//
// Each attempt is a child of its own (heist/stage.h). The attackers are those of the suite threat (tools/attacks); who is
// attacked is in heist/subject.h.
#include <lockfast/lockfast.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/heist/attack.h"
#include "tools/picture.h"
#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

using json = nlohmann::ordered_json;

struct request {
  bool as_json = false;
  std::string svg;
};

// Of ours alone.
int status_of(const heist& done) {
  int status = all_well;
  for (const row& each : done.rows) {
    for (std::size_t at = 0; at < each.outcomes.size(); ++at) {
      if (!done.subjects[at].ours) continue;
      if (each.outcomes[at].is == result::fell) return found_something;
      if (each.outcomes[at].is == result::not_tried) status = bad_request;
    }
  }
  return status;
}

std::string kernel() {
  utsname system{};
  uname(&system);
  return system.release;
}

std::string about() {
  return "Lockfast " LOCKFAST_VERSION ", Linux " + kernel() + ", " + (geteuid() == 0 ? "as root" : "as an ordinary user");
}

json as_json(const heist& done) {
  json subjects = json::array(), attacks = json::array();
  for (const subject& one : done.subjects) {
    subjects.push_back({{"name", one.name}, {"ours", one.ours}, {"backing", one.backing}, {"missing", one.missing}});
  }
  for (const row& each : done.rows) {
    json outcomes = json::object();
    for (std::size_t at = 0; at < each.outcomes.size(); ++at) {
      const outcome& one = each.outcomes[at];
      outcomes[done.subjects[at].name] = {{"result", name_of(one.is)}, {"how", one.how}, {"said", one.said}};
    }
    attacks.push_back({{"name", each.of.name}, {"what", each.of.what}, {"worked", each.worked}, {"outcomes", outcomes}});
  }
  return {{"version", LOCKFAST_VERSION}, {"kernel", kernel()},   {"root", geteuid() == 0},
          {"status", status_of(done)},   {"subjects", subjects}, {"attacks", attacks}};
}

int run(const request& wanted) {
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take away how an attempt ended
  const heist done = carry_out();
  if (!wanted.svg.empty()) write_file(wanted.svg, as_svg(done, about()));
  if (wanted.as_json) {
    std::cout << as_json(done).dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else if (wanted.svg.empty()) {
    const terminal screen(STDOUT_FILENO);
    const std::string name = "lockfast heist: ";
    std::cout << screen.painted(colour::bold, name) << screen.wrapped(about(), name.size()) << "\n\n" << as_text(done, screen);
  }
  return status_of(done);
}

}  // namespace

command heist_command(const command_part& whole) {
  const auto wanted = std::make_shared<request>();
  const command_part parsed = whole.add_part("heist", "Attack secrets in malloc, libsodium and Lockfast, and tell who held");
  parsed.add_flag("--json", wanted->as_json, "Print it for a program to read");
  parsed.add("--svg", wanted->svg, "Write a picture to FILE instead").type("FILE");
  parsed.footer(
      "Each attack runs in a child, on secrets of its own. malloc is the control. LOCKFAST_OPTIONS\n"
      "counts (docs/options.md). Exit status: 0 Lockfast held all; 1 something of Lockfast's fell;\n"
      "2 nothing fell, but something was not tried.");
  return {parsed, [wanted] { return run(*wanted); }};
}

}  // namespace lockfast::tools
