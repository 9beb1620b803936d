/* many_keys.c - 10,000 keys, each between its own guard pages, under a lock limit that holds a few of them. */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <stdlib.h>

enum { key_count = 10000, key_size = 32 };
static unsigned char *keys[key_count];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(void) {
  for (int each = 0; each < key_count; each++) {
    keys[each] = lockfast_malloc_isolated(key_size);
    if (keys[each] == NULL) fail("a key");
    lockfast_random(keys[each], key_size);
    if (lockfast_protect(keys[each], LOCKFAST_NOACCESS) != 0) fail("close"); /* may be sealed from now on */
  }
  if (lockfast_protect(keys[4711], LOCKFAST_READONLY) != 0) fail("open"); /* unsealed, at the same address */
  /* ... use keys[4711] ... */
  if (lockfast_protect(keys[4711], LOCKFAST_NOACCESS) != 0) fail("close");

  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  printf("%zu keys, %zu unlocked, %s sealed, %zu KiB locked\n", now.live, now.live_unlocked,
         now.live_sealed > 0 ? "most" : "none", now.bytes_locked / 1024);
  for (int each = 0; each < key_count; each++) lockfast_free(keys[each]);
  return 0;
}
