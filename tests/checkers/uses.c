/* uses.c - uses of secrets of every kind: allocated, resized, opened and closed, checked, shared with threads and children, freed. */
#include "uses.h"

#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define LOCKFAST_UNDER_MSAN
#endif
#endif

/* Whether a checker reports an access to the byte, or whether there is none that does. */
#if defined(LOCKFAST_MEMCHECK)
#include <valgrind/memcheck.h>
static const int reports_it = 1;
static int forbidden(const unsigned char *at) {
  unsigned char bits = 0;
  return VALGRIND_GET_VBITS(at, &bits, 1) == 3;
}
#elif defined(LOCKFAST_UNDER_MSAN)
static const int reports_it = 0;
static int forbidden(const unsigned char *at) { return at == NULL; }
#else
#include <sanitizer/asan_interface.h>
static const int reports_it = 1;
static int forbidden(const unsigned char *at) { return __asan_address_is_poisoned(at); }
#endif

void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "fails: %s\n", what);
  _exit(1);
}

static unsigned char volatile sink;

/* Every byte of a secret is the program's, and none beside it is. */
static void expect_own(const void *secret, size_t size) {
  unsigned char *const at = (unsigned char *)(uintptr_t)secret;
  require(secret != NULL, "a secret is allocated");
  for (size_t byte = 0; byte < size; ++byte) require(!forbidden(at + byte), "a live secret can be used");
  require(!reports_it || forbidden(first_of_eight(at) - 1), "the byte before it cannot");
  struct lockfast_receipt receipt;
  require(lockfast_describe(secret, &receipt) == 0, "it has a receipt");
  const int before_guard = receipt.placement == LOCKFAST_ISOLATED; /* whose page traps */
  require(!reports_it || before_guard || forbidden(at + size), "nor the byte after it");
  require(lockfast_size(secret) == size && lockfast_check(secret) == 0, "its size is known, and it is whole");
}

static void use(unsigned char *secret, size_t size) {
  memset(secret, 0x5a, size);
  for (size_t at = 0; at < size; ++at) sink = secret[at];
}

static void sizes(void) {
  static const size_t some[] = {1, 7, 8, 15, 16, 17, 31, 32, 33, 48, 100, 128, 129, 1000, 1024, 1025, 4000, 9000, 16384, 16385, 100000};
  enum { count = sizeof some / sizeof *some };
  unsigned char *grouped_ones[count];
  unsigned char *isolated_ones[count];
  for (int round = 0; round < 3; ++round) {
    for (size_t at = 0; at < count; ++at) {
      grouped_ones[at] = lockfast_malloc(some[at]);
      isolated_ones[at] = lockfast_malloc_isolated(some[at]);
      expect_own(grouped_ones[at], some[at]);
      expect_own(isolated_ones[at], some[at]);
      use(grouped_ones[at], some[at]);
      use(isolated_ones[at], some[at]);
    }
    for (size_t at = 0; at < count; ++at) {
      const size_t next = some[(at + 1) % count];
      grouped_ones[at] = lockfast_realloc(grouped_ones[at], next);
      expect_own(grouped_ones[at], next);
      use(grouped_ones[at], next);
      isolated_ones[at] = lockfast_realloc(isolated_ones[at], next);
      expect_own(isolated_ones[at], next);
      use(isolated_ones[at], next);
      grouped_ones[at] = lockfast_realloc(grouped_ones[at], next == 1 ? 2 : next - 1);
      use(grouped_ones[at], next == 1 ? 2 : next - 1);
    }
    require(lockfast_audit() == 0, "everything is whole");
    for (size_t at = 0; at < count; ++at) {
      lockfast_free(grouped_ones[at]);
      lockfast_free(isolated_ones[at]);
    }
    (void)lockfast_trim();
  }
}

static void access_changes(void) {
  enum { count = 40 };
  unsigned char *closed[count];
  for (size_t at = 0; at < count; ++at) {
    closed[at] = lockfast_malloc_isolated(1 + at * 200);
    use(closed[at], 1 + at * 200);
    require(lockfast_protect(closed[at], LOCKFAST_NOACCESS) == 0, "a secret closes");
  }
  (void)lockfast_trim(); /* seals some */
  for (size_t at = 0; at < count; ++at) {
    require(lockfast_check(closed[at]) == 0, "a closed one is whole");
    require(lockfast_protect(closed[at], LOCKFAST_READONLY) == 0, "it opens for reading");
    expect_own(closed[at], 1 + at * 200);
    sink = closed[at][0];
    require(lockfast_protect(closed[at], LOCKFAST_READWRITE) == 0, "it opens");
    use(closed[at], 1 + at * 200);
  }
  require(lockfast_protect(closed[3], LOCKFAST_NOACCESS) == 0, "one closes");
  closed[3] = lockfast_realloc(closed[3], 4000);
  require(lockfast_protect(closed[3], LOCKFAST_READWRITE) == 0, "it opens");
  use(closed[3], 4000);
  require(lockfast_protect(closed[0], LOCKFAST_NOACCESS) == 0, "one is freed closed");
  for (size_t at = 0; at < count; ++at) lockfast_free(closed[at]);
}

static void compartments(void) {
  struct lockfast_compartment *const made = lockfast_compartment_create();
  unsigned char *const small = lockfast_compartment_malloc(made, 30);
  unsigned char *large = lockfast_compartment_malloc(made, 20001);
  require(lockfast_compartment_protect(made, LOCKFAST_READWRITE) == 0, "a compartment opens");
  expect_own(small, 30);
  expect_own(large, 20001);
  use(small, 30);
  large = lockfast_realloc(large, 30000);
  use(large, 30000);
  require(lockfast_compartment_protect(made, LOCKFAST_NOACCESS) == 0, "it closes");
  require(lockfast_audit() == 0, "everything is whole");
  lockfast_free(large);
  lockfast_compartment_destroy(made);
}

static void drop_in(void) {
  unsigned char *const blocks_of_it[] = {sodium_malloc(32), sodium_malloc(5000), sodium_allocarray(3, 7)};
  static const size_t size_of[] = {32, 5000, 21};
  for (size_t at = 0; at < 3; ++at) {
    use(blocks_of_it[at], size_of[at]);
    require(sodium_mprotect_noaccess(blocks_of_it[at]) == 0 && sodium_mprotect_readonly(blocks_of_it[at]) == 0, "access changes");
    sink = blocks_of_it[at][size_of[at] - 1];
    require(sodium_mprotect_readwrite(blocks_of_it[at]) == 0, "access changes");
    sodium_memzero(blocks_of_it[at], size_of[at]);
    sodium_free(blocks_of_it[at]);
  }
}

static void *churn(void *with) {
  unsigned char *held[32] = {0};
  unsigned random = (unsigned)(uintptr_t)with;
  for (int step = 0; step < 3000; ++step) {
    random = random * 1103515245 + 12345;
    const size_t at = random >> 16 & 31;
    const size_t size = 1 + (random >> 8 & 0x1ff);
    lockfast_free(held[at]);
    held[at] = step % 64 == 0 ? lockfast_malloc_isolated(size) : lockfast_malloc(size);
    use(held[at], size);
    if (step % 500 == 0) (void)lockfast_audit();
  }
  for (size_t at = 0; at < 32; ++at) lockfast_free(held[at]);
  return NULL;
}

static void threads(void) {
  pthread_t some[3];
  for (uintptr_t at = 0; at < 3; ++at) require(pthread_create(&some[at], NULL, churn, (void *)(at + 1)) == 0, "a thread starts");
  for (size_t at = 0; at < 3; ++at) pthread_join(some[at], NULL);
}

/* Where a secret lay whose pages went back to the system, the program may map its own. */
static void map_where(unsigned char *secret, size_t size) {
  unsigned char *const page = (unsigned char *)((uintptr_t)secret & ~(uintptr_t)4095);
  unsigned char *const again = mmap(page, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(again != MAP_FAILED, "memory is mapped");
  memset(again, 1, size);
  munmap(again, size);
}

static void forks(void) {
  unsigned char *const secrets[] = {lockfast_malloc(40), lockfast_malloc_isolated(40), sodium_malloc(40)};
  unsigned char *const gone = lockfast_malloc(40);
  unsigned char *const closed = lockfast_malloc_isolated(70);
  for (size_t at = 0; at < 3; ++at) use(secrets[at], 40);
  use(closed, 70);
  require(lockfast_protect(closed, LOCKFAST_NOACCESS) == 0, "one closes");
  lockfast_free(gone);
  const pid_t child = fork();
  if (child == 0) {
    struct lockfast_receipt receipt;
    for (size_t at = 0; at < 3; ++at) {
      /* By the policy some are not there. */
      if (lockfast_describe(secrets[at], &receipt) == 0) {
        expect_own(secrets[at], 40);
        use(secrets[at], 40);
      }
    }
    if (lockfast_protect(closed, LOCKFAST_READWRITE) == 0) use(closed, 70);
    for (size_t at = 0; at < 2; ++at) lockfast_free(secrets[at]);
    sodium_free(secrets[2]);
    lockfast_free(closed);
    (void)lockfast_trim();
    for (size_t at = 0; at < 3; ++at) map_where(secrets[at], 4096);
    sizes();
    compartments();
    exit(0);
  }
  int status = 0;
  require(waitpid(child, &status, 0) == child && status == 0, "a forked child uses secrets");
  for (size_t at = 0; at < 2; ++at) lockfast_free(secrets[at]);
  sodium_free(secrets[2]);
  lockfast_free(closed);
}

static void address_space_again(void) {
  unsigned char *const large = lockfast_malloc_isolated(3 << 20);
  require(large != NULL, "a large secret");
  use(large, 3 << 20);
  lockfast_free(large);
  (void)lockfast_trim();
  map_where(large, 1 << 20);
}

void valid_uses(void) {
  sizes();
  access_changes();
  compartments();
  drop_in();
  threads();
  forks();
  address_space_again();
  unsigned char *const last = lockfast_malloc(100);
  use(last, 100);
  require(lockfast_equal(last, last, 100) == 1, "it equals itself");
  lockfast_wipe_all();
  sink = last[99];
  lockfast_free(last);
}
