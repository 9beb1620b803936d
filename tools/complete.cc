#include "tools/complete.h"

#include <algorithm>
#include <iostream>

namespace lockfast::tools {
namespace {

void offer(const std::string& word, const std::string& description, const std::string& begun) {
  if (word.starts_with(begun)) std::cout << word << '\t' << description.substr(0, description.find('\n')) << '\n';
}

// The candidates for the last word. What stands in front of the commands of a part is a file: the shell knows those.
int complete(const command_part& whole, const std::vector<std::string>& words) {
  if (words.empty()) return all_well;
  const std::string& begun = words.back();
  command_part part = whole;
  std::size_t before = part.required_words();
  for (auto word = words.begin(); word + 1 != words.end(); ++word) {
    const auto found = part.parts();
    if (found.empty() || word->starts_with('-')) continue;
    if (before > 0) {
      --before;
      continue;
    }
    const auto match = std::find_if(found.begin(), found.end(), [&](const command_part& one) { return one.is_named(*word); });
    if (match == found.end()) return all_well;
    part = *match;
    before = part.required_words();
  }
  if (begun.starts_with('-')) {
    for (const spelled_option& one : part.options()) offer(one.spelling, one.help, begun);
  } else if (before == 0) {
    for (const command_part& one : part.parts()) offer(one.name(), one.help(), begun);
  }
  return all_well;
}

}  // namespace

command complete_command(const command_part& whole, const program_words& program) {
  const command_part parsed = whole.add_part("complete", "For the shells' completions");
  parsed.hide();
  return {parsed, [whole, &program] { return complete(whole, program.words); }, true};
}

}  // namespace lockfast::tools
