// probe.h - tells whether a byte can be touched, by touching it.
//
// Only a fault at exactly the byte that is touched counts as a trap, or at the page of it, which is all that s390x tells; any
// other fault ends the process.
//
// Threads: one probe at a time, since the handler that catches the fault is the process's.
#ifndef LOCKFAST_TESTS_SUPPORT_PROBE_H
#define LOCKFAST_TESTS_SUPPORT_PROBE_H

bool traps_on_read(const void *byte);
bool traps_on_write(void *byte);  // leaves a byte that can be read as it was

#endif
