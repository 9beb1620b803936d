// report_file_fuzzer.cc - gives the command's reader of reports decoded files: reports of any content, changed ones and raw bytes.
//
// The reader must find what the model says. Whatever was read is then drawn and summed up: a terminal must obey no byte of that text,
// and the picture must be well-formed XML.
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
#include "fuzz/composed_report.h"
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
  run.name = any_word(input);
  run.end.process = static_cast<pid_t>(input.below(4));
  if (input.below(4) == 0) run.end.status = SIGTERM;
  if (input.below(4) == 0) run.file.emplace();
  if (input.below(4) == 0) run.obstacle = any_word(input);
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
  composed_report report(input);
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
  counts[later_report].count += report.later_reports;
  std::string refusal;
  const auto reports = read_and_show(report.lines, input, &refusal);
  if (bad != 0) {
    ++counts[bad_line].count;
    if (!refusal.starts_with("line " + std::to_string(bad) + " ")) disagree("line %zu is refused as: %s", bad, refusal.c_str());
    return;
  }
  ++counts[as_written].count;
  if (!refusal.empty()) disagree("a report is refused: %s", refusal.c_str());
  const auto model = report.model();
  if (reports.size() != model.size()) disagree("%zu processes, not %zu", reports.size(), model.size());
  for (std::size_t at = 0; at < reports.size(); ++at) expect_same(reports[at], model[at]);
}

void read_changed(bytes& input) {
  ++counts[changed].count;
  composed_report report(input);
  for (std::size_t count = 1 + input.below(8); count > 0; --count) report.write_line();
  counts[later_report].count += report.later_reports;
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
