// opened.h - which file a descriptor stands for, when the program may have closed it and opened another under its number.
//
// A file is known by its device and inode. A nameless file that was closed gives its inode back, and the next file of that
// directory often gets it, under the same number at that. So the offset of an open file, which nothing here uses to read or write,
// is set to a random mark: 40 bits that another opening does not have.
//
// Between the look and the use another thread may still close and open: as with any descriptor, that thread has to wait for the
// call.
//
// Threads: any.
#ifndef LOCKFAST_PLATFORM_POSIX_OPENED_H
#define LOCKFAST_PLATFORM_POSIX_OPENED_H

#include "platform/files.h"

namespace lockfast::platform {

// Takes over a descriptor that was just opened, and moves it above those of standard input, output and error: what the program
// writes there must not come into our files. A refusal closes it.
[[nodiscard]] error take_over(int descriptor, file& out);
[[nodiscard]] error take_over(int descriptor, directory& out);

// The descriptor, or -1 where its number is not this file's any more.
[[nodiscard]] int descriptor_of(const file& one);
[[nodiscard]] int descriptor_of(const directory& one);

}  // namespace lockfast::platform

#endif
