/* plug_in.c - a library that keeps a secret by the static library in it. */
#include "loading/plug_in.h"

#include <lockfast/lockfast.h>
#include <stdlib.h>

int use_a_secret(void) {
  unsigned char* const secret = lockfast_malloc(32);
  if (secret == NULL) return -1;
  secret[0] = 1;
  lockfast_free(secret);
  return 0;
}
