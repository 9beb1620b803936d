// error_note.h - notes what a refusal is about, for lockfast::last_error().
//
// The first note of a call counts: what is refused afterwards, while it cleans up, is a consequence.
//
// Threads: each notes its own.
#ifndef LOCKFAST_BOOJUM_MEMORY_ERROR_NOTE_H
#define LOCKFAST_BOOJUM_MEMORY_ERROR_NOTE_H

#include <lockfast/memory_error.hpp>

#include <expected>

// The standard's format. By printf, gcc means that of the system's C library, which on Windows is an older one than the C++ library
// uses; clang does not.
#if defined(__clang__)
#define LOCKFAST_FORMAT_KIND printf
#else
#define LOCKFAST_FORMAT_KIND gnu_printf
#endif

namespace lockfast::internal {

// Notes "WHAT WHERE: why (errno N)" for a refusal of the system, and gives the reason. what is of the form "cannot open the
// folder", and where a path, or null.
std::unexpected<memory_error> refused_by_system(int number, const char* what, const char* where,
                                                memory_error reason = memory_error::file_system);

// Notes a text of ours, with a path in front of it unless that is null, and gives the reason. The text is a format of printf.
[[gnu::format(LOCKFAST_FORMAT_KIND, 3, 4)]] std::unexpected<memory_error> refused_because(memory_error reason,
                                                                                          const char* where, const char* text,
                                                                                          ...);

// Forgets what is noted: at the start of a call, and where a call goes on in spite of a refusal.
void forget_note();
// What message(reason) says, unless something of this reason is noted; the limit on locks, for want of memory.
void complete_note(memory_error reason);

// What a function of the interface gives, with a note where it refuses.
template <class Body>
auto noting(Body&& body) -> decltype(body()) {
  forget_note();
  auto made = body();
  if (made) {
    forget_note();
  } else {
    complete_note(made.error());
  }
  return made;
}

}  // namespace lockfast::internal

#endif
