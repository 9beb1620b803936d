#include "tools/complete.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

namespace lockfast::tools {
namespace {

void offer(const std::string& word, const std::string& description, const std::string& begun) {
  if (word.starts_with(begun)) std::cout << word << '\t' << description.substr(0, description.find('\n')) << '\n';
}

// Hidden sub-commands have no group.
std::vector<const CLI::App*> shown(const CLI::App& app) {
  auto all = app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); });
  return {all.begin(), all.end()};
}

std::vector<const CLI::Option*> options_of(const CLI::App& part) {
  return part.get_options([](const CLI::Option* one) { return one->nonpositional() && !one->get_group().empty(); });
}

std::string spelling(const CLI::Option& option) {
  return option.get_lnames().empty() ? "-" + option.get_snames().front() : "--" + option.get_lnames().front();
}

std::size_t required_words(const CLI::App& part) {
  const auto all = part.get_options([](const CLI::Option* one) { return one->get_positional() && one->get_required(); });
  return all.size();
}

// The candidates for the last word. What stands in front of the commands of a part is a file: the shell knows those.
int complete(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) return all_well;
  const std::string& begun = words.back();
  const CLI::App* part = &app;
  std::size_t before = required_words(*part);
  for (auto word = words.begin(); word + 1 != words.end(); ++word) {
    const auto found = shown(*part);
    if (found.empty() || word->starts_with('-')) continue;
    if (before > 0) {
      --before;
      continue;
    }
    const auto match = std::find_if(found.begin(), found.end(), [&](const CLI::App* one) { return one->check_name(*word); });
    if (match == found.end()) return all_well;
    part = *match;
    before = required_words(*part);
  }
  if (begun.starts_with('-')) {
    for (const CLI::Option* one : options_of(*part)) offer(spelling(*one), one->get_description(), begun);
  } else if (before == 0) {
    for (const CLI::App* one : shown(*part)) offer(one->get_name(), one->get_description(), begun);
  }
  return all_well;
}

}  // namespace

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* one : shown(app)) names.push_back(one->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& part) {
  std::vector<std::string> names;
  for (const CLI::Option* one : options_of(part)) names.push_back(spelling(*one));
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

command complete_command(CLI::App& app, const program_words& program) {
  CLI::App* const parsed = app.add_subcommand("complete", "For the shells' completions");
  parsed->group("");
  return {parsed, [&app, &program] { return complete(app, program.words); }, true};
}

}  // namespace lockfast::tools
