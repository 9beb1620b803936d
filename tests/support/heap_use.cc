// heap_use.cc - what glibc says of its heap (mallinfo2, glibc 2.33).
#include "support/heap_use.h"

#include <malloc.h>

std::optional<std::size_t> heap_in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }
