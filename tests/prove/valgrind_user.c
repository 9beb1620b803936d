/* valgrind_user.c - isolated, closed, grouped, claimed and compartment secrets, many of each. */
#include <lockfast/lockfast.h>
#include <stddef.h>

enum { count = 20 };

int main(void) {
  void *isolated[count];
  void *grouped[count];
  static char own[count][8192];
  for (size_t at = 0; at < count; ++at) {
    isolated[at] = lockfast_malloc_isolated(1 + at * 500);
    grouped[at] = lockfast_malloc(1 + at * 50);
    if (isolated[at] == NULL || grouped[at] == NULL) return 3;
    if (lockfast_protect(isolated[at], LOCKFAST_NOACCESS) != 0 || lockfast_mlock(own[at], sizeof own[at]) != 0) return 3;
  }
  struct lockfast_compartment *const compartment = lockfast_compartment_create();
  void *const within = lockfast_compartment_malloc(compartment, 32);
  if (within == NULL || lockfast_audit() != 0) return 3;
  lockfast_compartment_destroy(compartment);
  for (size_t at = 0; at < count; ++at) {
    if (lockfast_munlock(own[at], sizeof own[at]) != 0) return 3;
    lockfast_free(isolated[at]);
    lockfast_free(grouped[at]);
  }
  (void)lockfast_trim();
  return 0;
}
