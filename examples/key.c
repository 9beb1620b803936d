/* key.c - a key in memory of its own: made, used, closed, described, freed. */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  struct lockfast_receipt receipt;
  unsigned char* key = lockfast_malloc_isolated(32);
  if (key == NULL) {
    perror("key");
    return 1;
  }
  memcpy(key, "thirty-two bytes from somewhere!", 32);
  if (lockfast_protect(key, LOCKFAST_NOACCESS) != 0) return 1; /* at rest: reading it would trap */
  if (lockfast_describe(key, &receipt) != 0) return 1;
  printf("%zu bytes, %s, %s\n", receipt.size, receipt.lock_error == 0 ? "held in RAM" : "may be swapped",
         receipt.dump_error == 0 ? "not in core dumps" : "in core dumps");
  if (lockfast_protect(key, LOCKFAST_READONLY) != 0) return 1;
  printf("it starts with '%c'\n", key[0]);
  lockfast_free(key); /* checked, wiped, closed */
  return 0;
}
