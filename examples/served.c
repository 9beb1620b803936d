/* served.c - preloaded behind liblockfast-sodium, says when a program ends how many secrets Lockfast served it. */
#include <lockfast/lockfast.h>
#include <stdio.h>

__attribute__((destructor)) static void report(void) {
  struct lockfast_statistics all;
  lockfast_get_statistics(&all);
  fprintf(stderr, "Lockfast: %llu secrets allocated, %llu freed, %llu refused; %zu live, %zu of them unlocked\n",
          (unsigned long long)all.allocations, (unsigned long long)all.frees, (unsigned long long)all.refusals, all.live,
          all.live_unlocked);
}
