// core_file.h - a core dump that the kernel writes into a file.
#ifndef TOOLS_ATTACKS_CORE_FILE_H
#define TOOLS_ATTACKS_CORE_FILE_H

#include <functional>
#include <string>
#include <vector>

namespace lockfast::attacks {

struct core_file {
  int signal = 0;                    // of which the child died; 0 if it ended by itself
  std::vector<unsigned char> bytes;  // empty if the system sends cores elsewhere
};

// The core of a child that runs body and aborts, in a directory of its own: of everything, whatever the filter of dumps says.
core_file core_of(const std::function<void()>& body);

// Why this system writes no core file into the working directory; empty if nothing is known to stop it.
std::string core_obstacle();

}  // namespace lockfast::attacks

#endif
