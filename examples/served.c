/* served.c - preloaded behind liblockfast-sodium, says when a program ends how many secrets Lockfast served it. */
#include <lockfast/lockfast.h>
#include <stdio.h>

__attribute__((destructor)) static void report(void) {
  struct lockfast_statistics all;
  lockfast_statistics(&all);
  fprintf(stderr, "served: %llu secrets, %llu of them freed, %zu bytes locked, %zu secrets unlocked, %llu refused\n",
          (unsigned long long)all.allocations, (unsigned long long)all.frees, all.bytes_locked, all.live_unlocked,
          (unsigned long long)all.refusals);
}
