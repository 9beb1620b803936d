/* exit_order.c - under crash=wipe a library that is linked behind the allocator's finds its secret whole in its destructor. */
#include <lockfast/lockfast.h>
#include <string.h>

#include "loading/late_user.h"

int main(void) {
  struct lockfast_options options = {.crash = LOCKFAST_CRASH_WIPE, .lock = LOCKFAST_LOCK_PREFERRED};
  if (lockfast_configure(&options) != 0) return 2;
  unsigned char* const secret = lockfast_malloc_isolated(32);
  if (secret == NULL) return 3;
  memset(secret, 'x', 32);
  hold(secret);
  return 0;
}
