#include "tools/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/command.h"

namespace lockfast::tools {
namespace {

using json = nlohmann::json;

std::uint64_t number(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string text_of(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_set(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_boolean() && found->get<bool>();
}

run_lengths states_of(const json& line) {
  run_lengths states;
  const auto found = line.find("states");
  if (found == line.end() || !found->is_array()) return states;
  for (const json& pair : *found) {
    if (pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_number_unsigned()) {
      states.emplace_back(pair[0].get<std::string>(), pair[1].get<std::uint64_t>());
    }
  }
  return states;
}

void read_policy(const json& line, process_report& into) {
  const bool used = is_set(line, "used");
  (text_of(line, "family") == "native" ? into.native_used : into.drop_in_used) = used;
}

void read_totals(const json& line, process_report& into) {
  for (const auto& [key, value] : line.items()) {
    if (value.is_number_unsigned()) into.totals[key] = value.get<std::uint64_t>();
  }
}

void read_region(const json& line, process_report& into) {
  region_drawing region;
  region.family = text_of(line, "family");
  region.kind = text_of(line, "kind");
  region.guarded_by = text_of(line, "guarded_by");
  region.pages = number(line, "pages");
  region.guards = number(line, "guards");
  region.places = number(line, "places");
  region.place_pages = number(line, "place_pages");
  if (const std::string address = text_of(line, "address"); !address.empty()) region.address = address;
  region.states = states_of(line);
  into.regions.push_back(std::move(region));
}

void read_slab(const json& line, process_report& into) {
  if (into.regions.empty()) return;
  into.regions.back().slabs.push_back(
      {number(line, "pages"), number(line, "capacity"), text_of(line, "backing"), states_of(line)});
}

void read_line(const json& line, process_report& into) {
  const std::string kind = text_of(line, "line");
  if (kind == "policy") read_policy(line, into);
  if (kind == "totals") read_totals(line, into);
  if (kind == "loaded") into.loaded.push_back(text_of(line, "path"));
  if (kind == "breach") into.breaches.push_back(text_of(line, "message"));
  if (kind == "region") read_region(line, into);
  if (kind == "slab") read_slab(line, into);
  if (kind == "opened") {
    into.hidden = number(line, "hidden");
    into.locked = number(line, "locked");
    into.unlocked = number(line, "unlocked");
  }
  if (kind == "not_in_force") {
    const auto error = line.find("errno");
    into.missing.push_back({text_of(line, "protection"),
                            error != line.end() && error->is_number_integer() ? error->get<int>() : 0, number(line, "runs")});
  }
}

process_report begun_by(const json& machine) {
  process_report report;
  report.process = number(machine, "process");
  report.version = text_of(machine, "version");
  report.reason = text_of(machine, "reason");
  report.page_size = number(machine, "page_size");
  return report;
}

void keep(process_report&& report, std::vector<process_report>& among) {
  const auto earlier =
      std::find_if(among.begin(), among.end(), [&](const process_report& one) { return one.process == report.process; });
  if (earlier == among.end()) {
    among.push_back(std::move(report));
    return;
  }
  std::vector<std::string> breaches = std::move(earlier->breaches);
  breaches.insert(breaches.end(), report.breaches.begin(), report.breaches.end());
  if (report.was_called() || !earlier->was_called()) *earlier = std::move(report);
  earlier->breaches = std::move(breaches);
}

}  // namespace

std::uint64_t process_report::total(const std::string& name) const {
  const auto found = totals.find(name);
  return found == totals.end() ? 0 : found->second;
}

bool process_report::was_called() const {
  return native_used || drop_in_used || total("allocations") != 0 || total("claims") != 0 || total("claims_refused") != 0;
}

std::vector<process_report> read_reports(const std::string& text) {
  std::vector<process_report> reports;
  std::optional<process_report> current;
  std::size_t number_of_line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    ++number_of_line;
    const json line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    at = end + 1;
    if (!line.is_object()) {
      throw refusal("line " + std::to_string(number_of_line) + " is no JSON object; give a file that `report=` has written");
    }
    if (text_of(line, "line") == "machine") {
      if (current) keep(std::move(*current), reports);
      current = begun_by(line);
    } else if (current) {
      read_line(line, *current);
    }
  }
  if (current) keep(std::move(*current), reports);
  return reports;
}

}  // namespace lockfast::tools
