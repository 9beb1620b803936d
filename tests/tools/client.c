/* client.c - a client of libsodium whose deed is its argument.
 *
 *    serve   three secrets of 32 bytes at once, all freed; status 7
 *    idle    none
 *    claim   none, but locks memory of its own; status 7
 *    wait    says "ready", then waits; SIGUSR1 ends it with status 8
 *    breach  writes before a secret and frees it
 *    fork    a child has a secret, too; status 7
 */
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *sodium_malloc(size_t size);
void sodium_free(void *secret);
int sodium_mlock(void *address, size_t size);

static void serve(void) {
  void *secrets[3];
  for (size_t at = 0; at < 3; ++at) secrets[at] = sodium_malloc(32);
  for (size_t at = 0; at < 3; ++at) sodium_free(secrets[at]);
}

static void on_signal(int number) {
  (void)number;
  _exit(8);
}

int main(int count, char **arguments) {
  const char *const deed = count > 1 ? arguments[1] : "serve";
  if (strcmp(deed, "idle") == 0) return 0;
  if (strcmp(deed, "claim") == 0) {
    static char own[32];
    return sodium_mlock(own, sizeof own) == 0 ? 7 : 3;
  }
  if (strcmp(deed, "wait") == 0) {
    signal(SIGUSR1, on_signal);
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 3;
    for (;;) pause();
  }
  if (strcmp(deed, "breach") == 0) {
    char *const secret = sodium_malloc(32);
    secret[-1] ^= 1;
    sodium_free(secret);
  }
  if (strcmp(deed, "fork") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      serve();
      return 0;
    }
    waitpid(child, NULL, 0);
  }
  serve();
  return 7;
}
