// schedule.cc - to text and back.
#include "tests/interleaving/schedule.h"

#include <charconv>

namespace lockfast::interleaving {
namespace {

template <class Number>
bool take_number(std::string_view& text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

bool take_character(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string text_of(const schedule& of) {
  std::string text;
  for (const preemption& each : of) {
    if (!text.empty()) text += ',';
    text += std::to_string(each.point) + '>' + std::to_string(each.thread);
  }
  return text;
}

std::optional<schedule> read_schedule(std::string_view text) {
  schedule made;
  while (!text.empty()) {
    preemption one = {};
    if (!made.empty() && !take_character(text, ',')) return {};
    if (!take_number(text, one.point) || !take_character(text, '>') || !take_number(text, one.thread)) return {};
    if (!made.empty() && one.point <= made.back().point) return {};
    made.push_back(one);
  }
  return made;
}

}  // namespace lockfast::interleaving
