/* subject.c - a program whose report is read.
 *
 *    report_subject DEED
 *
 * Each deed holds three grouped secrets and one isolated one, filled with the same 32 bytes, and frees two of them. Then:
 *
 *    exit     nothing more            breach   changes a canary and frees the secret
 *    again    the same, and once more in a handler of the signal that follows
 *    fork     a child exits, too      handler  allocates and frees while a signal handler reports to standard output
 *    call     reports to standard output, then to a closed descriptor
 *    leak     writes a secret to standard error: what a search must find
 *    closed   closes the isolated secret
 *    none     none of this: never calls the library
 *    emptied  none of this either, and takes LOCKFAST_OPTIONS out of its environment
 *    claim    none of this either: locks memory of its own twice, and is refused once
 */
#include <errno.h>
#include <lockfast/lockfast.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char pattern[] = "qZ7#vT1!mK9$wR3%xL5^bN8&cJ2*dH6(";
enum { size = sizeof pattern - 1 };

static volatile sig_atomic_t reports;

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "broken: %s\n", what);
  exit(3);
}

static char *filled(char *secret) {
  require(secret != NULL, "a secret");
  memcpy(secret, pattern, size);
  return secret;
}

static char *damaged;

static void on_abort(int number) {
  (void)number;
  require(signal(SIGABRT, SIG_DFL) != SIG_ERR, "no handler");
  lockfast_free(damaged);
}

static void on_alarm(int number) {
  (void)number;
  if (lockfast_report(STDOUT_FILENO) == 0) ++reports;
}

static void report_from_handler(void) {
  enum { enough = 50 };
  const struct itimerval often = {{0, 500}, {0, 500}};
  const struct itimerval never = {{0, 0}, {0, 0}};
  require(signal(SIGALRM, on_alarm) != SIG_ERR && setitimer(ITIMER_REAL, &often, NULL) == 0, "a timer");
  while (reports < enough) {
    lockfast_free(filled(lockfast_malloc_isolated(size)));
    char *many[100];
    for (size_t at = 0; at < sizeof many / sizeof *many; ++at) many[at] = filled(lockfast_malloc(size));
    for (size_t at = 0; at < sizeof many / sizeof *many; ++at) lockfast_free(many[at]);
  }
  require(setitimer(ITIMER_REAL, &never, NULL) == 0, "no timer");
}

int main(int count, char **arguments) {
  const char *const deed = count > 1 ? arguments[1] : "exit";
  if (strcmp(deed, "none") == 0) return 7;
  if (strcmp(deed, "emptied") == 0) return unsetenv("LOCKFAST_OPTIONS") == 0 ? 7 : 3;
  if (strcmp(deed, "claim") == 0) {
    static char own[size];
    require(lockfast_mlock(own, size) == 0 && lockfast_mlock(own, 1) == 0, "its own memory");
    require(lockfast_mlock((void *)(UINTPTR_MAX - size), size) != 0, "memory that is not there");
    return 7;
  }
  char *const isolated = filled(lockfast_malloc_isolated(size));
  char *grouped[3];
  for (int at = 0; at < 3; ++at) grouped[at] = filled(lockfast_malloc(size));
  if (strcmp(deed, "breach") == 0) {
    isolated[-1] ^= 1;
    lockfast_free(isolated);
  }
  if (strcmp(deed, "again") == 0) {
    require(signal(SIGABRT, on_abort) != SIG_ERR, "a handler");
    damaged = grouped[0];
    damaged[-1] ^= 1;
    isolated[-1] ^= 1;
    lockfast_free(isolated);
  }
  lockfast_free(grouped[0]);
  lockfast_free(grouped[1]);
  if (strcmp(deed, "closed") == 0) require(lockfast_protect(isolated, LOCKFAST_NOACCESS) == 0, "no access");
  if (strcmp(deed, "leak") == 0) require(write(STDERR_FILENO, isolated, size) == size, "the leak");
  if (strcmp(deed, "handler") == 0) report_from_handler();
  if (strcmp(deed, "call") == 0) {
    errno = 0;
    require(lockfast_report(STDOUT_FILENO) == 0 && errno == 0, "a report leaves errno alone");
    require(lockfast_report(1000) == -1 && errno == EBADF, "a closed descriptor is refused");
  }
  if (strcmp(deed, "fork") == 0) {
    const pid_t child = fork();
    require(child >= 0, "a child");
    if (child == 0) exit(0);
    int status;
    require(waitpid(child, &status, 0) == child && status == 0, "the child's end");
  }
  return 7;
}
