// error_note.cc - the note of each thread, and the words for the system's refusals.
#include "boojum/memory/error_note.h"

#include <lockfast/lockfast.h>
#include <lockfast/error_detail.hpp>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace lockfast {
namespace {

constinit thread_local error_detail the_note;

// Not strerror, which is neither safe in threads everywhere nor says what helps.
const char* words_of(int number) {
  switch (number) {
    case ENOMEM: return "there is not enough memory, or no lock on it";
    case ENOENT: return "there is no such file or folder";
    case EACCES: return "this user has no right to do it";
    case EPERM:
      return "it is another user's or protected, or others may enter it: a folder of secrets is your own, of mode 0700";
    case ENOSPC: return "the disk is full";
#ifdef EDQUOT  // of the BSDs, and not of each C library
    case EDQUOT: return "this user's share of the disk is used up";
#endif
    case EFBIG: return "the limit on the size of files is too low (ulimit -f)";
    case EROFS: return "the file system is read-only";
    case ELOOP: return "it is a symbolic link, which is not followed: use the path that it leads to";
    case ENOTDIR: return "it is a symbolic link, or a part of the path is not a folder";
    case ENXIO:
    case EINVAL: return "it is not an ordinary file";
    case EISDIR: return "it is a folder";
    case EMFILE: return "this process has too many files open (ulimit -n)";
    case ENFILE: return "the system has too many files open";
    case EBADF: return "its descriptor is not open for that, or the program closed it meanwhile";
    case ENAMETOOLONG: return "the path is too long";
    case ENODATA: return "the file ends too early";
    case EIO: return "the disk failed";
    default: return "the system refused it";
  }
}

}  // namespace

error_detail error_detail::last() noexcept { return the_note; }

void error_detail::note(memory_error reason, int number, const char* text) noexcept {
  reason_ = reason;
  number_ = number;
  (void)std::snprintf(text_, sizeof text_, "%s", text);
}

namespace internal {

std::unexpected<memory_error> refused_by_system(int number, const char* what, const char* where, memory_error reason) {
  if (!the_note.noted()) {
    char text[error_detail::text_capacity];
    // The path is what is cut, where it is too long for all.
    (void)std::snprintf(text, sizeof text, "%s%s%.300s: %s (errno %d)", what, where == nullptr ? "" : " ",
                        where == nullptr ? "" : where, words_of(number), number);
    the_note.note(reason, number, text);
  }
  return std::unexpected(reason);
}

std::unexpected<memory_error> refused_because(memory_error reason, const char* where, const char* text, ...) {
  if (!the_note.noted()) {
    char whole[error_detail::text_capacity];
    const int used = where == nullptr ? 0 : std::snprintf(whole, sizeof whole, "%.300s: ", where);
    std::va_list values;
    va_start(values, text);
    (void)std::vsnprintf(whole + used, sizeof whole - static_cast<std::size_t>(used), text, values);
    va_end(values);
    the_note.note(reason, 0, whole);
  }
  return std::unexpected(reason);
}

void forget_note() { the_note = error_detail(); }

void complete_note(memory_error reason) {
  if (the_note.noted() && the_note.reason() == reason) return;
  char text[error_detail::text_capacity];
  struct lockfast_statistics now = {};
  if (reason == memory_error::denied) ::lockfast_get_statistics(&now);
  if (reason == memory_error::denied && now.lock_limit != SIZE_MAX) {
    (void)std::snprintf(text, sizeof text,
                        "no memory, or no lock on it: of %zu bytes that this process may lock (ulimit -l) the library has %zu",
                        now.lock_limit, now.bytes_locked);
  } else {
    const std::string_view words = message(reason);
    (void)std::snprintf(text, sizeof text, "%.*s", static_cast<int>(words.size()), words.data());
  }
  the_note.note(reason, reason == memory_error::denied ? ENOMEM : 0, text);
}

}  // namespace internal
}  // namespace lockfast
