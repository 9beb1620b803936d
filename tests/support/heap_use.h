// heap_use.h - how much the ordinary heap has given out.
#ifndef LOCKFAST_TESTS_SUPPORT_HEAP_USE_H
#define LOCKFAST_TESTS_SUPPORT_HEAP_USE_H

#include <cstddef>
#include <optional>

// In bytes; nothing where the C library does not say.
std::optional<std::size_t> heap_in_use();

#endif
