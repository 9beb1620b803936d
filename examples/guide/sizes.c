/* sizes.c - what the size of a secret decides: its address, and what no bytes mean. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <lockfast/lockfast.h>
#include <stdint.h>

static int is_multiple(const void *secret, uintptr_t of) { return secret != NULL && (uintptr_t)secret % of == 0; }

int main(void) {
  assert(is_multiple(lockfast_malloc(33), 16));            /* grouped: always */
  assert(is_multiple(lockfast_malloc_isolated(32), 32));   /* isolated: the largest power of two that divides the size */
  assert(!is_multiple(lockfast_malloc_isolated(33), 2));   /* it ends where the guard page begins */
  assert(is_multiple(lockfast_aligned_alloc(64, 33), 64)); /* any power of two, at any size */
  assert(lockfast_aligned_alloc(3, 33) == NULL && errno == EINVAL);

  void *none = lockfast_malloc_isolated(0), *other = lockfast_malloc_isolated(0);
  assert(none != NULL && other != NULL && none != other); /* each has an address of its own; its first byte traps */
  assert(lockfast_size(none) == 0);
  lockfast_free(none);
  lockfast_free(other);
  lockfast_free(NULL); /* does nothing */
  assert(lockfast_malloc(SIZE_MAX) == NULL && errno == ENOMEM);
  return 0;
}
