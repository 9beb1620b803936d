// complete.h - what the shells' completions ask the command: which words may come next. They follow from the parser's own tables,
// so that no completion is out of date.
#ifndef TOOLS_COMPLETE_H
#define TOOLS_COMPLETE_H

#include <string>
#include <vector>

#include "tools/command.h"

namespace lockfast::tools {

std::vector<std::string> command_names(const CLI::App& app);
std::vector<std::string> option_names(const CLI::App& part);
std::string joined(const std::vector<std::string>& words);  // by ", "

// `lockfast complete -- WORDS`: prints the candidates for the last of the words, one a line: word, tab, description.
command complete_command(CLI::App& app, const program_words& program);

}  // namespace lockfast::tools

#endif
