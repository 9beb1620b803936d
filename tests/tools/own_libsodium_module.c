/* own_libsodium_module.c - a module with a sodium_malloc that nobody else sees, as a binding with its own libsodium.a has. */
#include <stddef.h>
#include <stdlib.h>

__attribute__((visibility("hidden"))) void *sodium_malloc(size_t size);
int run(void);

void *sodium_malloc(size_t size) { return malloc(size); }

int run(void) {
  void *const secret = sodium_malloc(32);
  free(secret);
  return secret == NULL;
}
