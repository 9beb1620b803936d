// options.h - the policy: what a program asked for, then what LOCKFAST_OPTIONS says, then the defaults.
//
// Threads: values.
#ifndef LOCKFAST_ALLOCATOR_OPTIONS_H
#define LOCKFAST_ALLOCATOR_OPTIONS_H

#include <lockfast/lockfast.h>

namespace lockfast::internal {

// Whether every field is a value of its enum; 0, the default, is one.
[[nodiscard]] bool valid(const lockfast_options& options);

// Reads "key=value,key=value" into options: a later pair wins over an earlier one; null and "" say nothing. False on an
// unknown key or value.
[[nodiscard]] bool parse(const char* text, lockfast_options& options);

// Options whose unset fields are taken from fallback.
[[nodiscard]] lockfast_options merged(lockfast_options options, const lockfast_options& fallback);

}  // namespace lockfast::internal

#endif
