// pages_windows.cc - reservations, committed at once. A hole is a place that is reserved still, but has no memory.
#include <windows.h>

#include "pages.h"

char* map_pages(std::size_t size) {
  return static_cast<char*>(VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
}

void unmap_pages(char* pages, std::size_t) { (void)VirtualFree(pages, 0, MEM_RELEASE); }

bool make_hole(char* at, std::size_t size) { return VirtualFree(at, size, MEM_DECOMMIT) != 0; }

bool fill_hole(char*, std::size_t) { return true; }

bool set_access(char* at, std::size_t size, page_access to) {
  constexpr DWORD protections[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE};
  DWORD before = 0;
  return VirtualProtect(at, size, protections[static_cast<int>(to)], &before) != 0;
}
