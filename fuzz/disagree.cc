// disagree.cc - the one way in which a fuzz target reports a finding.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "fuzz/target.h"

namespace lockfast::fuzz {

void disagree(const char* format, ...) {
  std::fputs("finding: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace lockfast::fuzz
