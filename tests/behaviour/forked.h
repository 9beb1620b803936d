// forked.h - a forked child of a test, whose end is a promise.
#ifndef LOCKFAST_TESTS_BEHAVIOUR_FORKED_H
#define LOCKFAST_TESTS_BEHAVIOUR_FORKED_H

#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/patience.h"

// Runs body in a child of this process; the promise is that it leaves with 0.
template <class Body>
void forked(Body body) {
  const pid_t child = fork();
  prove(child >= 0, "a fork");
  if (child == 0) {
    alarm(patience(60));
    body();
    _exit(0);
  }
  int state = 0;
  prove(waitpid(child, &state, 0) == child, "its end");
  promised(WIFEXITED(state) && WEXITSTATUS(state) == 0, "what the child was to find");
}

#endif
