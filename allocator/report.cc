// report.cc - the lines, and where they go.
#include "allocator/report.h"

#include <atomic>
#include <cstring>
#include <string_view>

#include "allocator/base/breach.h"
#include "allocator/base/json_lines.h"
#include "allocator/base/openings.h"
#include "allocator/pool.h"
#include "allocator/process.h"

namespace lockfast::internal {
namespace {

constexpr int standard_error = 2;
constexpr char at_exit[] = "exit";

// What settle() took from the options; the destination is empty where no report is wanted.
constinit char destination[report::max_destination] = {};
constinit std::atomic<bool> settled = false;
constinit std::atomic<bool> draws_map = false;
constinit std::atomic<bool> shows_addresses = false;

// One line for each figure.
template <class Figure>
struct named_figure {
  std::string_view name;
  Figure lockfast_statistics::* figure;
};
constexpr named_figure<std::size_t> sizes[] = {
    {"live", &lockfast_statistics::live},
    {"live_isolated", &lockfast_statistics::live_isolated},
    {"live_grouped", &lockfast_statistics::live_grouped},
    {"live_hidden", &lockfast_statistics::live_hidden},
    {"live_unlocked", &lockfast_statistics::live_unlocked},
    {"bytes_live", &lockfast_statistics::bytes_live},
    {"bytes_locked", &lockfast_statistics::bytes_locked},
    {"bytes_idle", &lockfast_statistics::bytes_idle},
    {"live_sealed", &lockfast_statistics::live_sealed},
    {"bytes_sealed", &lockfast_statistics::bytes_sealed},
    {"bytes_reserved", &lockfast_statistics::bytes_reserved},
};
constexpr named_figure<std::uint64_t> counts[] = {
    {"allocations", &lockfast_statistics::allocations},
    {"frees", &lockfast_statistics::frees},
    {"refusals", &lockfast_statistics::refusals},
};

// The words of an option's enum, whose first value is the default.
template <class Value, std::size_t count>
std::string_view word(Value value, const std::string_view (&words)[count]) {
  const auto index = static_cast<std::size_t>(value);
  return index != 0 && index <= count ? words[index - 1] : std::string_view("default");
}
constexpr std::string_view lock_words[] = {"required", "preferred"};
constexpr std::string_view hidden_words[] = {"auto", "on", "off"};
constexpr std::string_view fork_words[] = {"inherit", "wipe", "absent"};
constexpr std::string_view freed_words[] = {"trap", "recycle"};
constexpr std::string_view placement_words[] = {"isolated", "grouped"};
constexpr std::string_view rest_words[] = {"auto", "seal", "keep"};
constexpr std::string_view crash_words[] = {"none", "wipe"};
constexpr std::string_view notice_words[] = {"none", "stderr"};
constexpr std::string_view quarantine_words[] = {"yield", "hold"};
constexpr std::string_view idle_words[] = {"auto", "few"};

void write_machine(json_lines& out, std::string_view why) {
  out.begin("machine");
  out.text("version", LOCKFAST_VERSION);
  out.number("process", platform::process_id());
  out.text("reason", why);
  out.number("page_size", platform::page_size());
  out.limit("lock_limit", platform::lock_limit());
  out.limit("map_limit", platform::map_limit());
  out.end();
}

void write_policy(json_lines& out, const pool& of, std::string_view family) {
  const lockfast_options* const options = of.options();
  out.begin("policy");
  out.text("family", family);
  out.flag("used", options != nullptr);
  if (options != nullptr) {
    out.text("lock", word(options->lock, lock_words));
    out.text("hidden", word(options->hidden, hidden_words));
    out.text("fork", word(options->fork, fork_words));
    out.text("freed", word(options->freed, freed_words));
    out.text("placement", word(&of == &pool::native() ? options->native_placement : options->placement, placement_words));
    out.text("rest", word(options->rest, rest_words));
    out.text("crash", word(options->crash, crash_words));
    out.text("notice", word(options->notice, notice_words));
    out.text("quarantine", word(options->quarantine, quarantine_words));
    out.text("idle", word(options->idle, idle_words));
  }
  out.end();
}

// Who looks for the reason why nobody called: a module may have an allocator within.
void write_loaded(json_lines& out) {
  platform::for_each_loaded(
      [](void* to, const char* path) {
        json_lines& lines = *static_cast<json_lines*>(to);
        lines.begin("loaded");
        lines.text("path", path);
        lines.end();
      },
      &out);
}

void write_totals(json_lines& out) {
  struct lockfast_statistics now;
  const process::peaks most = process::look(now);
  out.begin("totals");
  for (const auto& one : counts) out.number(one.name, now.*one.figure);
  for (const auto& one : sizes) out.number(one.name, now.*one.figure);
  out.number("max_live_isolated", most.isolated);
  out.number("max_live_grouped", most.grouped);
  const process::claim_counts claims = process::claims();
  out.number("claims", claims.made);
  out.number("claims_refused", claims.refused);
  out.end();
}

void write_openings(json_lines& out) {
  out.begin("opened");
  out.number("hidden", openings::opened(LOCKFAST_HIDDEN));
  out.number("locked", openings::opened(LOCKFAST_LOCKED));
  out.number("unlocked", openings::opened(LOCKFAST_UNLOCKED));
  out.end();
  constexpr std::string_view protections[openings::protection_count] = {"lock", "dump", "hide", "fork"};
  openings::for_each_reason([&](openings::protection of, platform::error why, std::size_t runs) {
    out.begin("not_in_force");
    out.text("protection", protections[static_cast<std::size_t>(of)]);
    out.number("errno", static_cast<std::uint64_t>(why));
    out.number("runs", runs);
    out.end();
  });
}

// Kept out of line: its buffer is on the stack only while it writes.
[[gnu::noinline]] platform::error write_lines(int descriptor, std::string_view why, std::string_view breach_line = {}) {
  json_lines out(descriptor);
  write_machine(out, why);
  if (!breach_line.empty()) {
    out.begin("breach");
    out.text("message", breach_line);
    out.end();
  }
  write_policy(out, pool::native(), "native");
  write_policy(out, pool::drop_in(), "drop-in");
  write_totals(out);
  write_openings(out);
  if (why == at_exit && pool::drop_in().options() == nullptr) write_loaded(out);
  if (draws_map) process::draw(out, shows_addresses ? region::addresses::shown : region::addresses::left_out);
  return out.refusal();
}

// The descriptor that a destination names, or -1 where it is a path.
int descriptor_named(const char* name) {
  if (std::strcmp(name, "stderr") == 0) return standard_error;
  int number = 0;
  for (const char* at = name; *at != 0; ++at) {
    constexpr int most = 1 << 20;
    if (*at < '0' || *at > '9' || number > most) return -1;
    number = number * 10 + (*at - '0');
  }
  return number;
}

}  // namespace

void report::settle(const lockfast_options& options) {
  if (settled) return;
  if (options.report != nullptr && *options.report != 0 && std::strcmp(options.report, "none") != 0) {
    std::strncpy(destination, options.report, max_destination - 1);
    on_breach = write_at_breach;
  }
  draws_map = options.report_map == LOCKFAST_REPORT_MAP_ON;
  shows_addresses = options.report_addresses == LOCKFAST_REPORT_ADDRESSES_ON;
  settled = true;
}

platform::error report::write(int descriptor) { return write_lines(descriptor, "call"); }

void report::write_to_destination(const char* why, std::span<const char> breach_line) {
  if (*destination == 0) return;
  const std::string_view line(breach_line.data(), breach_line.size());
  if (const int descriptor = descriptor_named(destination); descriptor >= 0) {
    (void)write_lines(descriptor, why, line);
    return;
  }
  const int file = platform::open_for_append(destination);
  if (file < 0) return;
  (void)write_lines(file, why, line);
  platform::close_output(file);
}

void report::write_at_exit() {
  if (!settled) process::settle_report();
  write_to_destination(at_exit, {});
}

// A breach within the report, or in another thread meanwhile, writes no second one.
void report::write_at_breach(std::span<const char> line) {
  static constinit std::atomic<bool> begun = false;
  if (!begun.exchange(true)) write_to_destination("breach", line);
}

}  // namespace lockfast::internal
