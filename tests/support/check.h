// check.h - what a test expects of a child that is to live.
#ifndef LOCKFAST_TESTS_SUPPORT_CHECK_H
#define LOCKFAST_TESTS_SUPPORT_CHECK_H

#include <doctest/doctest.h>

#include "support/child.h"

// Fails where the child was killed, or left with a status. Of one that could not try (skip), the reason is told.
inline void check_clean(const ending& end) {
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CAPTURE(end.status);
  if (end.skipped()) {
    MESSAGE("skipped: " << end.text);
  } else {
    CHECK(end.clean());
  }
}

#endif
