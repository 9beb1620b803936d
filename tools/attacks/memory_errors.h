// memory_errors.h - a program's mistakes with its own memory, which the compiler may not optimise away.
#ifndef TOOLS_ATTACKS_MEMORY_ERRORS_H
#define TOOLS_ATTACKS_MEMORY_ERRORS_H

#include <cstddef>

#include "tools/attacks/mark.h"

namespace lockfast::attacks {

// Changes the byte that lies so far from the start of a block.
void stray_write(void* block, std::ptrdiff_t offset);

// Reads so many bytes on from the end of a block. Whether the wanted bytes are among them.
bool over_read(const void* end, std::size_t length, const mark& wanted);

}  // namespace lockfast::attacks

#endif
