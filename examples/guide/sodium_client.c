/* sodium_client.c - a program that knows libsodium alone. */
#include <sodium.h>

int main(void) {
  if (sodium_init() < 0) return 1;
  unsigned char *key = sodium_malloc(crypto_secretbox_KEYBYTES);
  if (key == NULL) return 1;
  crypto_secretbox_keygen(key);
  if (sodium_mprotect_readonly(key) != 0) return 1;
  unsigned char sealed[crypto_secretbox_MACBYTES + 4], nonce[crypto_secretbox_NONCEBYTES];
  randombytes_buf(nonce, sizeof nonce);
  crypto_secretbox_easy(sealed, (const unsigned char *)"text", 4, nonce, key);
  sodium_free(key);
  return 0;
}
