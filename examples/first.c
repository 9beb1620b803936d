/* first.c - the first secret: isolated, closed, freed. */
#include <lockfast/lockfast.h>
#include <string.h>

int main(void) {
  unsigned char *key = lockfast_malloc_isolated(32);
  if (key == NULL) return 1;                         /* refused: errno says why */
  memcpy(key, "thirty-two bytes from somewhere!", 32);
  if (lockfast_protect(key, LOCKFAST_NOACCESS) != 0) return 1; /* closed: a touch traps */
  lockfast_free(key);                                /* checked, wiped, closed */
}
