// crashing.h - what the tests of crash=wipe beside a program's own handlers share: three secrets, a handler, and a crash.
#ifndef LOCKFAST_TESTS_BEHAVIOUR_CRASHING_H
#define LOCKFAST_TESTS_BEHAVIOUR_CRASHING_H

#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <csignal>
#include <cstring>

#include "behaviour/grouped.h"
#include "support/sanitized.h"

inline volatile std::sig_atomic_t handled = 0;
inline volatile std::sig_atomic_t found_zeros = 0;
inline char* alone = nullptr;
inline char* beside = nullptr;
inline char* shut = nullptr;

inline void make_secrets() {
  alone = static_cast<char*>(lockfast_malloc_isolated(32));
  shut = static_cast<char*>(lockfast_malloc_isolated(9000));
  prove(alone != nullptr && shut != nullptr, "secrets");
  std::memset(alone, 'x', 32);
  std::memset(shut, 'x', 9000);
  prove(lockfast_protect(shut, LOCKFAST_NOACCESS) == 0, "no access");
  beside = secret_of(32);
}

inline void install(int number, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  prove(sigaction(number, &action, nullptr) == 0, "a handler");
}

inline char* volatile nowhere = nullptr;
[[gnu::noinline]] inline void fault() { *const_cast<volatile char*>(nowhere) = 1; }

inline bool skip_under_sanitizer() {
  if (sanitized) MESSAGE("skipped: a sanitizer takes these signals, and a jump out of them, for its own");
  return sanitized;
}

#endif
