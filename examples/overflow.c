/* overflow.c - writes one byte outside a secret, and dies of it: "overflow after" of the guard page that follows every
 * isolated secret, "overflow before" of the canary in front of it, which free verifies. */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  const size_t size = 32;
  unsigned char* secret = lockfast_malloc_isolated(size);
  volatile unsigned char* bytes = secret;
  if (secret == NULL) {
    perror("overflow");
    return 1;
  }
  if (argc == 2 && strcmp(argv[1], "after") == 0) {
    fprintf(stderr, "writing the first byte after a secret of %zu bytes\n", size);
    bytes[size] = 1;
    fprintf(stderr, "it was written\n");
  } else if (argc == 2 && strcmp(argv[1], "before") == 0) {
    fprintf(stderr, "writing the last byte before a secret of %zu bytes\n", size);
    bytes[-1] ^= 1;
    fprintf(stderr, "it was written; freeing the secret\n");
  } else {
    fprintf(stderr, "usage: overflow after|before\n");
    return 2;
  }
  lockfast_free(secret);
  fprintf(stderr, "nobody noticed\n");
  return 0;
}
