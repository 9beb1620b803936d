// complete.h - what the shells' completions ask the command: which words may come next. They follow from the parser's own tables,
// so that no completion is out of date.
#ifndef TOOLS_COMPLETE_H
#define TOOLS_COMPLETE_H

#include "tools/command.h"

namespace lockfast::tools {

// `lockfast complete -- WORDS`: prints the candidates for the last of the words, one a line: word, tab, description.
command complete_command(const command_part& whole, const program_words& program);

}  // namespace lockfast::tools

#endif
