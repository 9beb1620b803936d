/* memcheck.c - a program to be run under valgrind.
 *
 *    checked_by_memcheck          strays around secrets, of which each is reported: memcheck counts its reports for the program, which
 *                                 goes on after each; strays that trap anyway are not among them
 *    checked_by_memcheck valid    uses of every kind, of which none is to be reported
 */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "uses.h"

static unsigned char volatile sink;
static unsigned failed;

static unsigned reports(void) { return (unsigned)VALGRIND_COUNT_ERRORS; }

static void expect_report(const char *what, const unsigned char *at) {
  const unsigned before = reports();
  sink = *(const unsigned char volatile *)at;
  if (reports() > before) return;
  ++failed;
  printf("not reported: a read %s\n", what);
}

enum guard { page_behind, slots_beside };
static void strays(const char *kind, unsigned char *secret, size_t size, enum guard beside) {
  printf("%s\n", kind);
  require(secret != NULL, "a secret is allocated");
  memset(secret, 7, size);
  expect_report("before the start", secret - 1);
  if (beside == page_behind) expect_report("far before the start", secret - 40);
  if (beside == slots_beside) expect_report("past the end", secret + size);
  lockfast_free(secret);
  expect_report("after free", secret);
  expect_report("of the end after free", secret + size - 1);
}

int main(int count, char **words) {
  (void)words;
  require(RUNNING_ON_VALGRIND != 0, "valgrind runs this");
  if (count > 1) {
    valid_uses();
    return 0;
  }
  strays("grouped", lockfast_malloc(20), 20, slots_beside);
  strays("of a whole slot", lockfast_malloc(64), 64, slots_beside);
  strays("of a large slot", lockfast_malloc(5000), 5000, slots_beside);
  strays("aligned", lockfast_aligned_alloc(512, 100), 100, slots_beside);
  strays("isolated", lockfast_malloc_isolated(100), 100, page_behind);
  printf("%u not reported\n", failed);
  return failed != 0;
}
