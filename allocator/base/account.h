// account.h - whose word a receipt takes.
#ifndef LOCKFAST_ALLOCATOR_BASE_ACCOUNT_H
#define LOCKFAST_ALLOCATOR_BASE_ACCOUNT_H

namespace lockfast::internal {

// What the allocator wrote down, or what the system says now.
enum class account : unsigned char { records, system };

}  // namespace lockfast::internal

#endif
