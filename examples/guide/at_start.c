/* at_start.c - asks for one secret when the program starts, and says what a container or a unit withholds from it. */
#include <errno.h>
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <string.h>

static const char *text(int error) { return error == 0 ? "yes" : strerror(error); }

int main(void) {
  struct lockfast_receipt receipt;
  void *probe = lockfast_malloc_isolated(32);
  if (probe == NULL) {
    char why[512];
    lockfast_explain(errno, why, sizeof why);
    printf("no secret can be held: %s\n", why);
    return 1;
  }
  if (lockfast_describe(probe, &receipt) != 0) return 1;
  printf("locked: %s\nout of core dumps: %s\nhidden from other processes: %s\nfork policy: %s\n", text(receipt.lock_error),
         text(receipt.dump_error), text(receipt.hide_error), text(receipt.fork_error));
  lockfast_free(probe);
  return 0;
}
