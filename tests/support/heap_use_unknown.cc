// heap_use_unknown.cc - a C library that says nothing of its heap.
#include "support/heap_use.h"

std::optional<std::size_t> heap_in_use() { return std::nullopt; }
