#include "tools/run/summary.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "tools/shown.h"
#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

constexpr std::size_t label_width = 17;

// What it prints has names and texts of programs, files and reports: no terminal obeys them.
class printer {
 public:
  printer() : screen_(STDERR_FILENO) {}

  void heading(colour with, const std::string& text) {
    std::cerr << "lockfast: " << screen_.painted(with, shown(text)) << '\n';
  }
  void row(std::string label, const std::string& text, colour with = colour::plain) {
    label.resize(label_width, ' ');
    const std::string indent(2, ' ');
    std::cerr << indent << screen_.painted(colour::faint, label)
              << screen_.painted(with, screen_.wrapped(shown(text), label_width + indent.size())) << '\n';
  }

 private:
  terminal screen_;
};

std::string count(std::uint64_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

// What an errno of a protection means (docs/limits.md).
std::string reason(const not_in_force& one) {
  switch (one.error) {
    case ECANCELED: return "the options did not ask for it";
    case ENOSYS: return "this kernel does not have it";
    case EPERM: return "not permitted: a filter, or a lock limit of 0";
    case EAGAIN:
    case ENOMEM: return "the lock limit is reached (lockfast doctor tells how to raise it)";
    default: return std::strerror(one.error);
  }
}

void print_served(printer& out, const process_report& report) {
  out.row("calls", count(report.total("allocations"), "secret") + " allocated, " + std::to_string(report.total("frees")) +
                       " freed, " + std::to_string(report.total("refusals")) + " refused");
  out.row("most at once", std::to_string(report.total("max_live_isolated")) + " isolated, " +
                              std::to_string(report.total("max_live_grouped")) + " grouped");
  out.row("page runs",
          std::to_string(report.hidden) + " hidden, " + std::to_string(report.locked) + " locked, " +
              std::to_string(report.unlocked) + " unlocked; " + size_text(report.total("bytes_locked")) + " locked at its end",
          report.unlocked > 0 ? colour::yellow : colour::plain);
  for (const not_in_force& one : report.missing) {
    const bool asked_for = one.error != ECANCELED;
    out.row("not in force", one.protection + ", for " + count(one.runs, "page run") + ": " + reason(one),
            asked_for ? colour::yellow : colour::plain);
  }
  if (const std::uint64_t claims = report.total("claims"), refused = report.total("claims_refused"); claims + refused > 0) {
    out.row("its own memory",
            count(claims, "range") + " locked by sodium_mlock or lockfast_mlock, " + std::to_string(refused) + " refused",
            refused > 0 ? colour::yellow : colour::plain);
  }
  if (report.breaches.empty()) out.row("breaches", "none");
  for (const std::string& line : report.breaches) out.row("breach", line, colour::red);
}

// A library or module that has a sodium_malloc within, which is neither libsodium nor Lockfast; empty if there is none.
std::string module_with_libsodium(const std::vector<std::string>& loaded) {
  for (const std::string& path : loaded) {
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.starts_with("libsodium.so") || name.starts_with("liblockfast")) continue;
    if (const auto file = look_at(path); file && file->own_libsodium) return path;
  }
  return {};
}

// Lockfast was there, and nobody asked it for memory.
std::string why_not_called(const program_run& run, const std::vector<std::string>& loaded) {
  if (!run.file) return "its file cannot be read, so that nothing more is known";
  if (run.file->own_libsodium) {
    return "it has its own copy of libsodium within: link it with Lockfast (docs/sodium.md, Static linking)";
  }
  if (const std::string module = module_with_libsodium(loaded); !module.empty()) {
    return "it loaded " + module +
           ", which has its own copy of libsodium within: build that with the system's libsodium, or link "
           "it with Lockfast (docs/sodium.md, Static linking)";
  }
  if (run.file->calls_libsodium) return "it is linked to sodium_malloc, but did not call it this time";
  const auto& needed = run.file->needed;
  if (std::any_of(needed.begin(), needed.end(), [](const std::string& name) { return name.starts_with("libsodium.so"); })) {
    return "it uses libsodium, but not its secure memory";
  }
  return "neither it nor a library that it shares asked for sodium_malloc; a module that carries its own copy of libsodium cannot "
         "be served (docs/sodium.md)";
}

// There is no report of the program.
std::string why_not_there(const program_run& run) {
  if (run.obstacle) return *run.obstacle;
  if (!run.file) return "its file cannot be read, so that nothing more is known";
  if (WIFSIGNALED(run.end.status)) {
    return "it was ended by signal " + std::to_string(WTERMSIG(run.end.status)) + " (" + strsignal(WTERMSIG(run.end.status)) +
           "), and only an exit or a breach writes a report";
  }
  return "it ended by _exit or execve, which write no report, or it started without LD_PRELOAD";
}

void print_others(printer& out, const std::vector<process_report>& reports, const process_report* own) {
  std::uint64_t processes = 0, calls = 0, unlocked = 0;
  for (const process_report& one : reports) {
    if (&one == own) continue;
    ++processes;
    calls += one.total("allocations");
    unlocked += one.unlocked;
    for (const std::string& line : one.breaches)
      out.row("breach", "process " + std::to_string(one.process) + ": " + line, colour::red);
  }
  if (processes == 0) return;
  out.row("other processes", std::to_string(processes) + ": " + count(calls, "secret") + " allocated, " +
                                 count(unlocked, "page run") + " unlocked");
}

}  // namespace

void summarize(const std::vector<process_report>& reports, const program_run& run) {
  printer out;
  const auto process = static_cast<std::uint64_t>(run.end.process);
  const auto own =
      std::find_if(reports.begin(), reports.end(), [&](const process_report& one) { return one.process == process; });
  const std::string who = run.name + " (process " + std::to_string(process) + ")";
  if (own == reports.end()) {
    out.heading(colour::yellow, who + " was not served, or could not say so");
    out.row("why", why_not_there(run));
  } else if (!own->was_called()) {
    out.heading(colour::yellow, who + " never called Lockfast");
    out.row("why", why_not_called(run, own->loaded));
  } else {
    out.heading(colour::bold, who + " ran on Lockfast " + own->version);
    print_served(out, *own);
  }
  print_others(out, reports, own == reports.end() ? nullptr : &*own);
}

}  // namespace lockfast::tools
