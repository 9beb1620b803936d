/* static_sodium.c - a client of libsodium that tells by its end whether it was served: 0, or 1 when libsodium served it. */
#include <lockfast/lockfast.h>
#include <stdio.h>

/* Not by <sodium.h>, which need not be installed. */
int sodium_init(void);
void *sodium_malloc(size_t size);
void *sodium_allocarray(size_t count, size_t size);
void sodium_free(void *block);
int sodium_mprotect_noaccess(void *block);
int sodium_mprotect_readwrite(void *block);
int crypto_hash_sha256(unsigned char *hash, const unsigned char *bytes, unsigned long long size);

int main(void) {
  unsigned char hash[32];
  if (sodium_init() != 0 || crypto_hash_sha256(hash, (const unsigned char *)"a", 1) != 0) return 2;
  void *const blocks[] = {sodium_malloc(32), sodium_allocarray(4, 8)};
  int served = 0;
  for (int at = 0; at < 2; ++at) {
    served += lockfast_size(blocks[at]) == 32;
    if (sodium_mprotect_noaccess(blocks[at]) != 0 || sodium_mprotect_readwrite(blocks[at]) != 0) return 2;
    sodium_free(blocks[at]);
  }
  return served == 2 ? 0 : served == 0 ? 1 : 2;
}
