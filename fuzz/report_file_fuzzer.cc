// report_file_fuzzer.cc - gives the command's reader of reports decoded files: reports of any content, changed ones and raw bytes.
//
// While a report is written, a model of what it says is written beside it: the reader must find the same. Whatever was read is then
// drawn and summed up. A terminal must obey no byte of that text, and the picture must be well-formed XML.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/target.h"
#include "tools/command.h"
#include "tools/map/drawing.h"
#include "tools/report.h"
#include "tools/run/summary.h"

namespace lockfast::fuzz {
namespace {

using tools::process_report;

enum kind_of_input : unsigned char { as_written, later_report, bad_line, changed, raw, drawn, refused, kind_count };

constinit std::array<kind, kind_count> counts = {{{"as written", 0},
                                                  {"later report of a process", 0},
                                                  {"line that is no object", 0},
                                                  {"changed bytes", 0},
                                                  {"raw bytes", 0},
                                                  {"drawn", 0},
                                                  {"refused", 0}}};

// Words of a report and words that do harm where they are not quoted.
constexpr std::array<std::string_view, 20> words = {
    "native",  "drop-in", "isolated", "grouped",       "maps",     "hidden",       "locked",
    "live",    "free",    "",         "\x1b[2J\x1b]0;", "\xc2\x9b", "</text><a b='", "&amp;",
    "\" x=\"", "\xef\xbf\xbe", "\xef\xbf\xbf",  "\x7f\r\n\t", "\xc3\xa9 \\",   "libsodium.so.23 is no such file"};

constexpr std::array<std::string_view, 9> other_values = {"null", "true",  "-1", "1.5", "18446744073709551616",
                                                          "[]",   "[[1]]", "{}", "{\"line\": \"slab\"}"};

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char one : text) {
    const auto byte = static_cast<unsigned char>(one);
    if (byte < ' ') {
      json.append({'\\', 'u', '0', '0', "01"[byte >> 4], "0123456789abcdef"[byte & 15]});
    } else {
      if (one == '"' || one == '\\') json += '\\';
      json += one;
    }
  }
  return json + '"';
}

// Writes lines, and what a reader must find in them.
class composer {
 public:
  explicit composer(bytes& input) : input_(input) {}

  void write_line() {
    begin();
    switch (input_.below(9)) {
      case 0: machine(); break;
      case 1: policy(); break;
      case 2: totals(); break;
      case 3: opened(); break;
      case 4: not_in_force(); break;
      case 5: named("breach", "message", &process_report::breaches); break;
      case 6: named("loaded", "path", &process_report::loaded); break;
      case 7: region(); break;
      case 8: slab(); break;
    }
    end();
  }

  void write_unknown_line() {
    begin();
    text("line");
    number("process");
    end();
  }

  std::string lines;
  std::vector<process_report> model;

 private:
  void begin() {
    lines += '{';
    is_first_ = true;
  }
  void end() { lines += "}\n"; }

  void put(std::string_view key, std::string_view value) {
    lines.append(is_first_ ? "" : ", ").append(quoted(key)).append(": ").append(value);
    is_first_ = false;
  }
  // Whether the member that comes next is left out, or has a value of another type: then a reader finds nothing.
  bool is_spoilt(std::string_view key) {
    if (input_.below(8) != 0) return false;
    const std::size_t which = input_.below(other_values.size() + 1);
    if (which != other_values.size()) put(key, other_values[which]);
    return true;
  }
  std::uint64_t any_number() {
    switch (input_.below(6)) {
      case 0: return UINT64_MAX - input_.below(2);
      case 1: return std::uint64_t{1} << input_.below(64);
      default: return input_.below(60);
    }
  }
  std::uint64_t number(std::string_view key) {
    if (is_spoilt(key)) return 0;
    const std::uint64_t value = any_number();
    put(key, std::to_string(value));
    return value;
  }
  std::string any_text() {
    std::string all;
    for (std::size_t count = 1 + input_.below(2); count > 0; --count) all += words[input_.below(words.size())];
    return all;
  }
  std::string text(std::string_view key) {
    if (is_spoilt(key)) return {};
    std::string value = any_text();
    put(key, quoted(value));
    return value;
  }
  tools::run_lengths states() {
    if (is_spoilt("states")) return {};
    tools::run_lengths all;
    std::string json = "[";
    for (std::size_t count = input_.below(4); count > 0; --count) {
      const std::string state = any_text();
      const std::uint64_t length = any_number();
      json.append(json.size() == 1 ? "" : ", ");
      if (input_.below(8) == 0) {
        json.append("[").append(quoted(state)).append("]");
      } else {
        json.append("[").append(quoted(state)).append(", ").append(std::to_string(length)).append("]");
        all.emplace_back(state, length);
      }
    }
    put("states", json + "]");
    return all;
  }
  void line(std::string_view what) { put("line", quoted(what)); }

  void machine() {
    process_report report;
    line("machine");
    report.version = text("version");
    if (!is_spoilt("process")) put("process", std::to_string(report.process = input_.below(2)));
    report.reason = text("reason");
    report.page_size = number("page_size");
    const auto earlier = std::ranges::find(model, report.process, &process_report::process);
    current_ = static_cast<std::size_t>(earlier - model.begin());
    if (earlier == model.end()) {
      model.push_back(std::move(report));
    } else {
      ++counts[later_report].count;
      report.breaches = earlier->breaches;
      *earlier = std::move(report);
    }
  }
  // Lines before the first process go to one that nobody looks at.
  process_report& current() { return model.empty() ? nobody_ : model[current_]; }

  void policy() {
    line("policy");
    const bool is_native = text("family") == "native";
    constexpr std::array<std::string_view, 4> said = {"true", "false", "1", "\"true\""};
    const std::size_t which = input_.below(said.size());
    put("used", said[which]);
    const bool is_used = which == 0;
    (is_native ? current().native_used : current().drop_in_used) = is_used;
  }
  void totals() {
    line("totals");
    for (const char* const name : {"allocations", "frees", "max_live_isolated", "bytes_locked"}) {
      if (input_.below(4) == 0) continue;
      const std::uint64_t value = any_number();
      put(name, std::to_string(value));
      current().totals[name] = value;
    }
  }
  void opened() {
    line("opened");
    current().hidden = number("hidden");
    current().locked = number("locked");
    current().unlocked = number("unlocked");
  }
  void not_in_force() {
    line("not_in_force");
    tools::not_in_force one{text("protection"), 0, 0};
    if (input_.below(4) != 0) put("errno", std::to_string(one.error = static_cast<int>(input_.below(140)) - 3));
    one.runs = number("runs");
    current().missing.push_back(std::move(one));
  }
  void named(std::string_view what, std::string_view key, std::vector<std::string> process_report::* where) {
    line(what);
    (current().*where).push_back(text(key));
  }
  void region() {
    line("region");
    tools::region_drawing one;
    one.family = text("family");
    one.kind = text("kind");
    one.pages = number("pages");
    one.guards = number("guards");
    one.guarded_by = text("guarded_by");
    one.places = number("places");
    one.place_pages = number("place_pages");
    if (const std::string address = text("address"); !address.empty()) one.address = address;
    one.states = states();
    current().regions.push_back(std::move(one));
  }
  void slab() {
    line("slab");
    tools::slab_drawing one;
    one.pages = number("pages");
    one.backing = text("backing");
    one.capacity = number("capacity");
    one.states = states();
    if (!current().regions.empty()) current().regions.back().slabs.push_back(std::move(one));
  }

  bytes& input_;
  process_report nobody_;
  std::size_t current_ = 0;
  bool is_first_ = true;
};

// ---- What was read -------------------------------------------------------------------------------------------------------------

bool are_same(const tools::slab_drawing& one, const tools::slab_drawing& other) {
  return one.pages == other.pages && one.capacity == other.capacity && one.backing == other.backing && one.states == other.states;
}

bool are_same(const tools::not_in_force& one, const tools::not_in_force& other) {
  return one.protection == other.protection && one.error == other.error && one.runs == other.runs;
}

bool are_same(const tools::region_drawing& one, const tools::region_drawing& other) {
  return one.family == other.family && one.kind == other.kind && one.guarded_by == other.guarded_by && one.pages == other.pages &&
         one.guards == other.guards && one.places == other.places && one.place_pages == other.place_pages &&
         one.address == other.address && one.states == other.states &&
         std::ranges::equal(one.slabs, other.slabs, [](const auto& left, const auto& right) { return are_same(left, right); });
}

void expect_same(const process_report& read, const process_report& written) {
  const auto each = [](const auto& left, const auto& right) { return are_same(left, right); };
  if (read.process != written.process || read.version != written.version || read.reason != written.reason ||
      read.page_size != written.page_size) {
    disagree("another machine line");
  }
  if (read.native_used != written.native_used || read.drop_in_used != written.drop_in_used) disagree("another family was used");
  if (read.totals != written.totals) disagree("other totals");
  if (read.hidden != written.hidden || read.locked != written.locked || read.unlocked != written.unlocked) disagree("other page runs");
  if (!std::ranges::equal(read.missing, written.missing, each)) disagree("other protections are not in force");
  if (read.breaches != written.breaches) disagree("other breaches");
  if (read.loaded != written.loaded) disagree("other libraries");
  if (!std::ranges::equal(read.regions, written.regions, each)) disagree("other regions");
}

// No control character but the end of a line, of UTF-8 too.
void expect_obedient(std::string_view text, const char* what) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto next = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : 0);
    if ((byte < ' ' && byte != '\n') || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0)) {
      disagree("%s has a control character, %#x", what, byte);
    }
  }
}

void expect(bool holds, const char* what) {
  if (!holds) disagree("the picture: %s", what);
}

// Tags nest, an attribute is quoted, and text has references and characters that XML 1.0 knows, and no others.
void expect_xml(std::string_view text) {
  std::vector<std::string_view> open;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == '&') {
      const std::string_view rest = text.substr(at, 6);
      expect(rest.starts_with("&amp;") || rest.starts_with("&lt;") || rest.starts_with("&gt;") || rest == "&quot;", "a reference");
    }
    expect(byte >= ' ' || byte == '\n', "a control character");
    expect(text.substr(at, 3) != "\xef\xbf\xbe" && text.substr(at, 3) != "\xef\xbf\xbf", "no character of XML");
    if (byte != '<') {
      ++at;
      continue;
    }
    const std::size_t end = text.find('>', at);
    expect(end != std::string_view::npos, "a tag without its end");
    std::string_view tag = text.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.starts_with('/')) {
      expect(!open.empty() && open.back() == tag.substr(1), "a tag is closed that is not open");
      open.pop_back();
      continue;
    }
    const bool is_closed = tag.ends_with('/');
    const std::string_view name = tag.substr(0, tag.find_first_of(" /"));
    expect(name == "svg" || name == "style" || name == "rect" || name == "text", "a tag of somebody else");
    expect(std::ranges::count(tag, '"') % 2 == 0, "a quote is open");
    if (!is_closed) open.push_back(name);
  }
  expect(open.empty(), "a tag is open");
}

// Stands for standard error for as long as it lives.
class caught_errors {
 public:
  caught_errors() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~caught_errors() { std::cerr.rdbuf(before_); }
  caught_errors(const caught_errors&) = delete;
  caught_errors& operator=(const caught_errors&) = delete;

  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

void show(std::vector<process_report> reports, bytes& input) {
  ++counts[drawn].count;
  static const bool is_plain = setenv("NO_COLOR", "1", 1) == 0;  // at a terminal, too
  if (!is_plain) disagree("no memory for a variable");
  const auto drawings = tools::draw(reports);
  constexpr int no_terminal = -1;
  expect_obedient(tools::as_text(drawings, tools::terminal(no_terminal)), "the drawing");
  expect_xml(tools::as_svg(drawings));

  // The summary opens the libraries that are named: only such as do not exist, here.
  for (process_report& one : reports) std::erase_if(one.loaded, [](const std::string& path) { return path.find('/') != path.npos; });
  tools::program_run run;
  run.name = words[input.below(words.size())];
  run.end.process = static_cast<pid_t>(input.below(4));
  if (input.below(4) == 0) run.end.status = SIGTERM;
  if (input.below(4) == 0) run.file.emplace();
  if (input.below(4) == 0) run.obstacle = words[input.below(words.size())];
  const caught_errors caught;
  tools::summarize(reports, run);
  expect_obedient(caught.text(), "the summary");
}

// What the reader says; its reports are shown.
std::vector<process_report> read_and_show(const std::string& text, bytes& input, std::string* refusal = nullptr) {
  try {
    auto reports = tools::read_reports(text);
    show(reports, input);
    return reports;
  } catch (const tools::refusal& fault) {
    ++counts[refused].count;
    if (refusal != nullptr) *refusal = fault.what();
    return {};
  }
}

void read_written(bytes& input) {
  composer report(input);
  std::size_t bad = 0;  // the number of a line that is no object; 0 for none
  const std::size_t count = 1 + input.below(30);
  for (std::size_t line = 1; line <= count; ++line) {
    if (bad == 0 && input.below(60) == 0) {
      constexpr std::array<const char*, 8> no_objects = {"\n", "[]\n", "{\n", "{\"line\": 1,}\n", "\"\xff\"\n", "nul\n", "1 2\n", "{} {}\n"};
      report.lines += no_objects[input.below(no_objects.size())];
      bad = line;
    } else if (input.below(12) == 0) {
      report.write_unknown_line();
    } else {
      report.write_line();
    }
  }
  if (input.below(4) == 0) report.lines += "{\"line\": \"machine\", \"process\": 1";  // a report that broke off
  std::string refusal;
  const auto reports = read_and_show(report.lines, input, &refusal);
  if (bad != 0) {
    ++counts[bad_line].count;
    if (!refusal.starts_with("line " + std::to_string(bad) + " ")) disagree("line %zu is refused as: %s", bad, refusal.c_str());
    return;
  }
  ++counts[as_written].count;
  if (!refusal.empty()) disagree("a report is refused: %s", refusal.c_str());
  if (reports.size() != report.model.size()) disagree("%zu processes, not %zu", reports.size(), report.model.size());
  for (std::size_t at = 0; at < reports.size(); ++at) expect_same(reports[at], report.model[at]);
}

void read_changed(bytes& input) {
  ++counts[changed].count;
  composer report(input);
  for (std::size_t count = 1 + input.below(8); count > 0; --count) report.write_line();
  for (std::size_t count = 1 + input.below(4); count > 0; --count) {
    report.lines[input.below(report.lines.size())] = static_cast<char>(input.next());
  }
  (void)read_and_show(report.lines, input);
}

void read_raw(bytes& input) {
  ++counts[raw].count;
  std::string text;
  while (!input.empty()) text += static_cast<char>(input.next());
  (void)read_and_show(text, input);
}

}  // namespace

std::span<const kind> kinds() { return counts; }

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lockfast::fuzz;
  lockfast::fuzz::bytes input({bytes, size});
  switch (input.below(8)) {
    case 0: read_raw(input); break;
    case 1:
    case 2: read_changed(input); break;
    default: read_written(input); break;
  }
  return 0;
}
