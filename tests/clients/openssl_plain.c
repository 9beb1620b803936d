/* openssl_plain.c - a program without libcrypto: the drop-in frees blocks of the plain heap by itself, and a clearing free wipes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void CRYPTO_secure_free(void* block, const char* file, int line);
void CRYPTO_secure_clear_free(void* block, size_t size, const char* file, int line);

enum { size = 64 };

static unsigned char* watched;
static int frees;
static int set_bytes;

/* The C library's own name for it. */
void __libc_free(void* block);
void free(void* block) {
  if (block == watched && watched != NULL) {
    ++frees;
    set_bytes = 0;
    for (int at = 0; at < size; ++at) set_bytes += watched[at] != 0;
  }
  __libc_free(block);
}

static int freed(int clears) {
  watched = malloc(size);
  if (watched == NULL) return 0;
  memset(watched, 'x', size);
  frees = 0;
  if (clears) {
    CRYPTO_secure_clear_free(watched, size, __FILE__, __LINE__);
  } else {
    CRYPTO_secure_free(watched, __FILE__, __LINE__);
  }
  return frees == 1;
}

int main(void) {
  if (!freed(0) || set_bytes != size) return puts("a plain block was not freed as it is"), 1;
  if (!freed(1) || set_bytes != 0) return puts("a plain block was freed without a wipe"), 1;
  return 0;
}
