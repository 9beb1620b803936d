// reach.h - tells whether this thread can touch a byte, by letting the kernel touch it on behalf of a system call.
//
// No signal is raised, unlike by probe.h: a handler that jumps out of one leaves its thread with the default rights to every
// protection key, and what the thread had opened by such a key is closed from then on.
//
// Threads: any number at a time.
#ifndef LOCKFAST_TESTS_SUPPORT_REACH_H
#define LOCKFAST_TESTS_SUPPORT_REACH_H

#include <cstddef>

bool readable_here(const void* byte);
bool writable_here(void* byte);  // leaves the byte as it was

// Copies bytes whatever the access to them, as a debugger does; false where they are not mapped or the kernel refuses, as it
// does for hidden memory that is closed: a test that looks behind closed pages asks for hidden=off.
bool peek(const void* address, std::size_t length, char* out);

#endif
