/* linked.c - a program that is linked with libsodium and uses its secure memory beside its ciphers, with the drop-in or without.
 *
 *   linked served|alone        whose the blocks are to be
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

size_t lockfast_size(const void *secret);
#pragma weak lockfast_size

static int faults = 0;

static void check(int kept, const char *promise) {
  if (kept) return;
  printf("not so: %s\n", promise);
  ++faults;
}

int main(int argc, char **argv) {
  const int served = argc > 1 && strcmp(argv[1], "served") == 0;
  if (sodium_init() != 0) return 1;
  printf("libsodium %s\n", sodium_version_string());
  unsigned char *const key = sodium_malloc(32);
  unsigned char *const several = sodium_allocarray(4, 8);
  crypto_generichash_state *const state = sodium_malloc(crypto_generichash_statebytes());
  if (key == NULL || several == NULL || state == NULL) return 1;
  check((lockfast_size != NULL) == served, "the drop-in is there or not");
  if (lockfast_size != NULL) {
    check(lockfast_size(key) == 32 && lockfast_size(several) == 32, "a block is the drop-in's, whoever asks for it");
  }

  randombytes_buf(key, 32);
  unsigned char hash[32];
  check(crypto_generichash_init(state, key, 32, sizeof hash) == 0 && crypto_generichash_update(state, key, 32) == 0 &&
            crypto_generichash_final(state, hash, sizeof hash) == 0,
        "a hash whose state is in a block");
  const unsigned char nonce[crypto_secretbox_NONCEBYTES] = {0};
  unsigned char sealed[sizeof hash + crypto_secretbox_MACBYTES];
  unsigned char opened[sizeof hash];
  check(sodium_mprotect_noaccess(key) == 0 && sodium_mprotect_readonly(key) == 0, "a change of access");
  check(crypto_secretbox_easy(sealed, hash, sizeof hash, nonce, key) == 0 &&
            crypto_secretbox_open_easy(opened, sealed, sizeof sealed, nonce, key) == 0 &&
            sodium_memcmp(opened, hash, sizeof hash) == 0,
        "a box under a key that is read-only");
  char phrase[crypto_pwhash_STRBYTES];
  check(crypto_pwhash_str(phrase, "x", 1, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN) == 0, "a password's hash");
  check(sodium_mlock(hash, sizeof hash) == 0 && sodium_munlock(hash, sizeof hash) == 0, "a lock on the program's memory");
  check(sodium_is_zero(hash, sizeof hash), "which is wiped when it is unlocked");
  sodium_free(key);
  sodium_free(several);
  sodium_free(state);
  return faults != 0;
}
