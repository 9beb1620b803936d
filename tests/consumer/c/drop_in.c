/* drop_in.c - a C program on the installed sodium.h; STANDALONE when the library serves sodium_init too. */
#include <lockfast/sodium.h>
#include <stdio.h>
#include <string.h>

static int wrong(const char* what) {
  fprintf(stderr, "wrong: %s\n", what);
  return 1;
}

int main(void) {
  char own[64] = "a key of the caller's own";
  struct lockfast_statistics statistics;
  char* secret;
#ifdef STANDALONE
  if (sodium_init() != 0 || sodium_init() != 1) return wrong("init");
#endif
  secret = sodium_allocarray(4, 8);
  if (secret == NULL) return wrong("allocarray");
  memset(secret, 'a', 32);
  if (sodium_mprotect_noaccess(secret) != 0 || sodium_mprotect_readonly(secret) != 0) return wrong("protect");
  if (sodium_memcmp(secret, "aaaa", 4) != 0 || sodium_memcmp(secret, "aaab", 4) != -1) return wrong("memcmp");
  if (sodium_mprotect_readwrite(secret) != 0) return wrong("readwrite");
  sodium_memzero(secret, 32);
  sodium_stackzero(1024);
  if (sodium_munlock(own, sizeof own) != 0 || own[0] != 0) return wrong("munlock");
  lockfast_get_statistics(&statistics);
  if (statistics.live != 1) return wrong("statistics");
  sodium_free(secret);
  return 0;
}
