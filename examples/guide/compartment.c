/* compartment.c - the keys of one session, which are opened and closed together. */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(void) {
  struct lockfast_compartment *session = lockfast_compartment_create();
  if (session == NULL) fail("session");
  unsigned char *sending = lockfast_compartment_malloc(session, 32);
  unsigned char *receiving = lockfast_compartment_malloc(session, 32);
  if (sending == NULL || receiving == NULL) fail("keys");
  lockfast_random(sending, 32);
  lockfast_random(receiving, 32);
  if (lockfast_compartment_protect(session, LOCKFAST_NOACCESS) != 0) fail("close"); /* both are closed: a touch traps */
  if (lockfast_compartment_protect(session, LOCKFAST_READONLY) != 0) fail("open"); /* both can be read */
  puts(lockfast_equal(sending, receiving, 32) == 0 ? "two keys" : "the same");
  lockfast_compartment_destroy(session); /* verifies, wipes and frees both */
  return 0;
}
