// composed_report.cc - which lines, with which members, and what a reader must make of each.
#include "fuzz/composed_report.h"

#include <algorithm>
#include <array>

namespace lockfast::fuzz {

using tools::process_report;

namespace {

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

}  // namespace

std::string_view any_word(bytes& input) { return words[input.below(words.size())]; }

void composed_report::write_line() {
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

void composed_report::write_unknown_line() {
  begin();
  text("line");
  number("process");
  end();
}

void composed_report::begin() {
  lines += '{';
  is_first_ = true;
}

void composed_report::end() { lines += "}\n"; }

void composed_report::put(std::string_view key, std::string_view value) {
  lines.append(is_first_ ? "" : ", ").append(quoted(key)).append(": ").append(value);
  is_first_ = false;
}

bool composed_report::is_spoilt(std::string_view key) {
  if (input_.below(8) != 0) return false;
  const std::size_t which = input_.below(other_values.size() + 1);
  if (which != other_values.size()) put(key, other_values[which]);
  return true;
}

std::uint64_t composed_report::any_number() {
  switch (input_.below(6)) {
    case 0: return UINT64_MAX - input_.below(2);
    case 1: return std::uint64_t{1} << input_.below(64);
    default: return input_.below(60);
  }
}

std::uint64_t composed_report::number(std::string_view key) {
  if (is_spoilt(key)) return 0;
  const std::uint64_t value = any_number();
  put(key, std::to_string(value));
  return value;
}

std::string composed_report::any_text() {
  std::string all;
  for (std::size_t count = 1 + input_.below(2); count > 0; --count) all += any_word(input_);
  return all;
}

std::string composed_report::text(std::string_view key) {
  if (is_spoilt(key)) return {};
  std::string value = any_text();
  put(key, quoted(value));
  return value;
}

tools::run_lengths composed_report::states() {
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

void composed_report::line(std::string_view what) { put("line", quoted(what)); }

void composed_report::machine() {
  process_report report;
  line("machine");
  report.version = text("version");
  if (!is_spoilt("process")) put("process", std::to_string(report.process = input_.below(2)));
  report.reason = text("reason");
  report.page_size = number("page_size");
  if (std::ranges::find(written_, report.process, &process_report::process) != written_.end()) ++later_reports;
  written_.push_back(std::move(report));
}

std::vector<process_report> composed_report::model() const {
  const auto tells_of_calls = [](const process_report& one) {
    const auto any = [&](const char* name) { return one.totals.contains(name) && one.totals.at(name) != 0; };
    return one.native_used || one.drop_in_used || any("allocations") || any("claims") || any("claims_refused");
  };
  std::vector<process_report> counting;
  for (const process_report& one : written_) {
    const auto known = std::ranges::find(counting, one.process, &process_report::process);
    if (known == counting.end()) {
      counting.push_back(one);
      continue;
    }
    std::vector<std::string> breaches = known->breaches;
    breaches.insert(breaches.end(), one.breaches.begin(), one.breaches.end());
    if (tells_of_calls(one) || !tells_of_calls(*known)) *known = one;
    known->breaches = std::move(breaches);
  }
  return counting;
}

void composed_report::policy() {
  line("policy");
  const bool is_native = text("family") == "native";
  constexpr std::array<std::string_view, 4> said = {"true", "false", "1", "\"true\""};
  const std::size_t which = input_.below(said.size());
  put("used", said[which]);
  const bool is_used = which == 0;
  (is_native ? current().native_used : current().drop_in_used) = is_used;
}

void composed_report::totals() {
  line("totals");
  for (const char* const name : {"allocations", "claims", "claims_refused", "frees", "max_live_isolated", "bytes_locked"}) {
    if (input_.below(4) == 0) continue;
    const std::uint64_t value = any_number();
    put(name, std::to_string(value));
    current().totals[name] = value;
  }
}

void composed_report::opened() {
  line("opened");
  current().hidden = number("hidden");
  current().locked = number("locked");
  current().unlocked = number("unlocked");
}

void composed_report::not_in_force() {
  line("not_in_force");
  tools::not_in_force one{text("protection"), 0, 0};
  if (input_.below(4) != 0) put("errno", std::to_string(one.error = static_cast<int>(input_.below(140)) - 3));
  one.runs = number("runs");
  current().missing.push_back(std::move(one));
}

void composed_report::named(std::string_view what, std::string_view key, std::vector<std::string> process_report::* where) {
  line(what);
  (current().*where).push_back(text(key));
}

void composed_report::region() {
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

void composed_report::slab() {
  line("slab");
  tools::slab_drawing one;
  one.pages = number("pages");
  one.backing = text("backing");
  one.capacity = number("capacity");
  one.states = states();
  if (!current().regions.empty()) current().regions.back().slabs.push_back(std::move(one));
}

}  // namespace lockfast::fuzz
