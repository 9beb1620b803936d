/* workers.c - a key in a forked worker, and a key for a program that is started. */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_of(pid_t child) {
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(void) {
  struct lockfast_options options = {.fork = LOCKFAST_FORK_INHERIT}; /* the default is absent: a worker's touch would trap */
  if (lockfast_configure(&options) != 0) fail("configure"); /* before the first allocation */
  unsigned char *key = lockfast_malloc_isolated(32);
  if (key == NULL) fail("key");
  lockfast_random(key, 32);

  pid_t worker = fork();
  if (worker == 0) {
    struct lockfast_receipt receipt; /* of the worker's own copy, which is locked again */
    int held = lockfast_describe(key, &receipt) == 0 && receipt.lock_error == 0;
    lockfast_free(key); /* the parent's stays */
    _exit(held ? 0 : 1);
  }
  printf("worker: %s\n", status_of(worker) == 0 ? "has the key, in RAM" : "may be swapped");

  int ends[2]; /* a started program gets the key by a pipe: arguments and the environment can be read by others */
  if (pipe(ends) != 0) fail("pipe");
  pid_t program = fork();
  if (program == 0) {
    dup2(ends[0], 0);
    close(ends[0]);
    close(ends[1]);
    execlp("wc", "wc", "-c", (char *)NULL);
    _exit(127);
  }
  close(ends[0]);
  ssize_t written = write(ends[1], key, 32);
  close(ends[1]);
  if (written != 32 || status_of(program) != 0) return 1;
  lockfast_free(key);
  return 0;
}
