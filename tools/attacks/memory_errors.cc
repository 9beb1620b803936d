// memory_errors.cc - touches of what the program does not own.
#include "tools/attacks/memory_errors.h"

namespace lockfast::attacks {

// Of a header of glibc's heap this bit makes a size of the next class: free takes it for true.
void stray_write(void* block, std::ptrdiff_t offset) {
  volatile unsigned char* const byte = static_cast<volatile unsigned char*>(block) + offset;
  *byte = *byte ^ 0x10;
}

bool over_read(const void* end, std::size_t length, const mark& wanted) {
  return wanted.found_in({static_cast<const unsigned char*>(end), length});
}

}  // namespace lockfast::attacks
