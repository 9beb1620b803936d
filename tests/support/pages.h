// pages.h - pages of a test's own, that no allocator knows of, and the access of any.
#ifndef LOCKFAST_TESTS_SUPPORT_PAGES_H
#define LOCKFAST_TESTS_SUPPORT_PAGES_H

#include <cstddef>

// Readable, writable, zero; null when the system refuses. Sizes are multiples of the page size.
char* map_pages(std::size_t size);
void unmap_pages(char* pages, std::size_t size);

// Takes some of them away, so that nothing is mapped there, until the place is filled again without access.
bool make_hole(char* at, std::size_t size);
bool fill_hole(char* at, std::size_t size);

// Changes the access of any mapped pages, behind their owner's back.
enum class page_access { none, read, read_write };
bool set_access(char* at, std::size_t size, page_access to);

#endif
