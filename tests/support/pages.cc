// pages.cc - anonymous maps.
#include "pages.h"

#include <sys/mman.h>

char* map_pages(std::size_t size) {
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<char*>(mapped);
}

void unmap_pages(char* pages, std::size_t size) { munmap(pages, size); }

bool make_hole(char* at, std::size_t size) { return munmap(at, size) == 0; }

bool fill_hole(char* at, std::size_t size) {
  return mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
}

bool set_access(char* at, std::size_t size, page_access to) {
  constexpr int flags[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
  return mprotect(at, size, flags[static_cast<int>(to)]) == 0;
}
