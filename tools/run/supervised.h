// supervised.h - a program that runs as if it had been started without us: signals go to it, and its end is ours.
#ifndef TOOLS_RUN_SUPERVISED_H
#define TOOLS_RUN_SUPERVISED_H

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace lockfast::tools {

struct program_end {
  pid_t process = 0;
  int start_error = 0;  // the errno of exec, or 0
  int status = 0;       // of waitpid
};

using environment_change = std::pair<std::string, std::string>;

// Runs a program to its end. What is sent to us meanwhile is sent on; what a terminal sends reaches the program by itself. When it
// stops, we stop.
program_end supervise(const std::vector<std::string>& words, const std::vector<environment_change>& changes);

// Ends this process as the program ended: the same status, or the same signal without a core file of our own.
[[noreturn]] void end_alike(int status);

}  // namespace lockfast::tools

#endif
