// pages.h - addresses and pages, for the files of this folder and of tools/heist.
#ifndef TOOLS_ATTACKS_PAGES_H
#define TOOLS_ATTACKS_PAGES_H

#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace lockfast::attacks {

inline std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

inline std::uintptr_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// The first byte of the page that holds a byte.
inline char* page_of(const void* byte) { return static_cast<char*>(const_cast<void*>(byte)) - address_of(byte) % page_size(); }

}  // namespace lockfast::attacks

#endif
