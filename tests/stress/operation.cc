// operation.cc - the choice of an operation, and its line.
#include "stress/operation.h"

#include <algorithm>
#include <sstream>

namespace lockfast::stress {
namespace {

struct described {
  const char* name;
  unsigned weight;
};

constexpr described verbs[verb_count] = {
    {"allocate", 60},        {"allocate_array", 10},      {"allocate_isolated", 60}, {"allocate_aligned", 20},
    {"allocate_drop_in", 60}, {"allocate_in", 60},         {"write", 40},             {"read", 60},
    {"protect", 120},         {"resize", 40},              {"check", 20},             {"describe", 20},
    {"release", 130},         {"hand_over", 60},           {"make_compartment", 12},  {"end_compartment", 8},
    {"protect_compartment", 30}, {"claim", 20},            {"unclaim", 20},           {"trim", 4},
    {"audit", 2},             {"count", 4},                {"fork", 2},
};

bool has_size(verb what) { return what <= verb::allocate_in || what == verb::resize; }

// Mostly small ones, some of each size class, some of many pages.
std::uint32_t random_size(random_numbers& from) {
  const auto below = [&](std::size_t bound) { return static_cast<std::uint32_t>(from.below(bound)); };
  switch (below(8)) {
    case 0: return below(17000);
    case 1: return 1U << below(15);
    case 2: return 4096 * below(6) + below(3);
    case 3: return below(64) == 0 ? below(600000) : below(40000);
    default: return below(300);
  }
}

}  // namespace

std::uint64_t random_numbers::next() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

operation random_operation(random_numbers& from, std::size_t place_count) {
  unsigned all = 0;
  for (const described& each : verbs) all += each.weight;
  std::size_t chosen = 0;
  for (std::size_t left = from.below(all); left >= verbs[chosen].weight; ++chosen) left -= verbs[chosen].weight;
  const auto what = static_cast<verb>(chosen);
  const auto place = static_cast<std::uint32_t>(from.below(place_count));
  return {what, place, has_size(what) ? random_size(from) : static_cast<std::uint32_t>(from.next() >> 40)};
}

std::string text(const operation& one) {
  std::ostringstream line;
  line << verbs[static_cast<std::size_t>(one.what)].name << ' ' << one.place << ' ' << one.amount;
  return line.str();
}

std::optional<operation> read_operation(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  operation one = {};
  if (!(words >> name >> one.place >> one.amount)) return std::nullopt;
  const auto found = std::ranges::find_if(verbs, [&](const described& each) { return name == each.name; });
  if (found == std::end(verbs)) return std::nullopt;
  one.what = static_cast<verb>(found - std::begin(verbs));
  return one;
}

}  // namespace lockfast::stress
