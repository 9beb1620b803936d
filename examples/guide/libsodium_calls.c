/* libsodium_calls.c - libsodium's calls, each beside the native one, in a program that is linked with the drop-in. */
#undef NDEBUG
#include <assert.h>
#include <lockfast/sodium.h>
#include <stdint.h>
#include <string.h>

static int all(const unsigned char *bytes, size_t size, int value) {
  for (size_t each = 0; each < size; each++)
    if (bytes[each] != value) return 0;
  return 1;
}

int main(void) {
  unsigned char *theirs = sodium_malloc(32);
  unsigned char *ours = lockfast_malloc_isolated(32);
  assert(theirs != NULL && ours != NULL);
  assert(all(theirs, 32, 0xdb) && all(ours, 32, 0)); /* fresh bytes differ */
  assert((uintptr_t)theirs % 32 == 0 && (uintptr_t)ours % 32 == 0);

  unsigned char *array = sodium_allocarray(4, 8);
  unsigned char *zeros = lockfast_calloc(4, 8); /* grouped: between canaries, beside others */
  struct lockfast_receipt receipt;
  assert(lockfast_describe(array, &receipt) == 0 && receipt.placement == LOCKFAST_ISOLATED);
  assert(lockfast_describe(zeros, &receipt) == 0 && receipt.placement == LOCKFAST_GROUPED);

  assert(sodium_mprotect_noaccess(theirs) == 0 && lockfast_protect(ours, LOCKFAST_NOACCESS) == 0);
  assert(sodium_mprotect_readonly(theirs) == 0 && lockfast_protect(ours, LOCKFAST_READONLY) == 0);
  assert(sodium_mprotect_readwrite(theirs) == 0 && lockfast_protect(ours, LOCKFAST_READWRITE) == 0);
  assert(lockfast_protect(zeros, LOCKFAST_NOACCESS) == -1); /* ENOTSUP: a grouped secret has no access of its own */

  static char mine[100] = "in the program's own memory";
  assert(sodium_mlock(mine + 1, 50) == 0 && lockfast_mlock(mine + 1, 50) == 0); /* unaligned; claims are a set */
  assert(lockfast_munlock(mine + 1, 50) == 0 && all((unsigned char *)mine + 1, 50, 0) && mine[0] == 'i');

  memset(theirs, 1, 32);
  memset(ours, 1, 32);
  assert(sodium_memcmp(theirs, ours, 32) == 0 && lockfast_equal(theirs, ours, 32) == 1); /* the answer is the reverse */
  theirs[31] = 2;
  assert(sodium_memcmp(theirs, ours, 32) == -1 && lockfast_equal(theirs, ours, 32) == 0);

  sodium_memzero(theirs, 32);
  lockfast_wipe(ours, 32);
  assert(all(theirs, 32, 0) && all(ours, 32, 0));

  lockfast_free(theirs); /* each frees what the other has made */
  sodium_free(ours);
  sodium_free(array);
  lockfast_free(zeros);
  return 0;
}
