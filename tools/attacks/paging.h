// paging.h - what the kernel may move from RAM to the swap device.
#ifndef TOOLS_ATTACKS_PAGING_H
#define TOOLS_ATTACKS_PAGING_H

namespace lockfast::attacks {

// Asks the kernel to swap the page of a byte of ours out (MADV_PAGEOUT). 0, or the errno of its refusal: EINVAL for a locked page.
int page_out(const void* byte);

// Whether a frame of RAM holds the page of a byte of ours, by /proc/self/pagemap.
bool in_memory(const void* byte);

}  // namespace lockfast::attacks

#endif
