/* own_libsodium.c - a program with a sodium_malloc within, as a static libsodium.a gives one. */
#include <stddef.h>
#include <stdlib.h>

void *sodium_malloc(size_t size);

void *sodium_malloc(size_t size) { return malloc(size); }

int main(void) {
  void *const secret = sodium_malloc(32);
  free(secret);
  return secret == NULL;
}
