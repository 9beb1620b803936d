/* native.c - a C program on the installed lockfast.h: allocate, protect, check, resize, free. */
#include <errno.h>
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <string.h>

static int wrong(const char* what) {
  fprintf(stderr, "wrong: %s\n", what);
  return 1;
}

int main(void) {
  const struct lockfast_options options = {.lock = LOCKFAST_LOCK_PREFERRED};
  struct lockfast_statistics statistics;
  struct lockfast_receipt receipt;
  char* secret;
  if (lockfast_configure(&options) != 0) return wrong("configure");
  secret = lockfast_malloc_isolated(32);
  if (secret == NULL) return wrong("malloc");
  memcpy(secret, "attack at dawn", 15);
  if (lockfast_size(secret) != 32) return wrong("size");
  if (lockfast_protect(secret, LOCKFAST_READONLY) != 0 || strcmp(secret, "attack at dawn") != 0) return wrong("protect");
  if (lockfast_check(secret) != 0) return wrong("check");
  if (lockfast_describe(secret, &receipt) != 0 || receipt.access != LOCKFAST_READONLY) return wrong("describe");
  secret = lockfast_realloc(secret, 5000);
  if (secret == NULL || lockfast_protect(secret, LOCKFAST_READWRITE) != 0) return wrong("realloc");
  if (lockfast_equal(secret, "attack at dawn", 15) != 1) return wrong("equal");
  lockfast_wipe(secret, 15);
  if (secret[0] != 0) return wrong("wipe");
  lockfast_get_statistics(&statistics);
  if (statistics.live != 1) return wrong("statistics");
  lockfast_free(secret);
  return 0;
}
