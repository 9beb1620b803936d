// notice.h - one line on standard error for a protection that a secret of the drop-in did not get, where notice=stderr asks for it.
//
// Threads: any.
#ifndef LOCKFAST_ALLOCATOR_NOTICE_H
#define LOCKFAST_ALLOCATOR_NOTICE_H

#include <lockfast/lockfast.h>

namespace lockfast::internal {

// Writes a line for each protection of the receipt that is not in force, unless it was written before in this process. hide_error
// ECANCELED is the policy's own doing, so it is none.
void announce_weakness(const lockfast_receipt& receipt);

}  // namespace lockfast::internal

#endif
