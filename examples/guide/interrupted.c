/* interrupted.c - wipes every secret when the user or the system ends the program. */
#include <lockfast/lockfast.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void wipe_and_end(int number) {
  lockfast_wipe_all(); /* async-signal-safe */
  signal(number, SIG_DFL);
  raise(number);
}

int main(void) {
  struct lockfast_options options = {.crash = LOCKFAST_CRASH_WIPE}; /* for crashes and a normal exit */
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = wipe_and_end; /* for the signals that end a program in the ordinary course */
  if (lockfast_configure(&options) != 0 || sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0) return 1;
  unsigned char *key = lockfast_malloc_isolated(32);
  if (key == NULL) return 1;
  lockfast_random(key, 32);
  raise(SIGTERM);
  puts("not reached");
  return 1;
}
