/* strays.c - a program that is compiled with -fsanitize=address, on libraries that need not be.
 *
 *    strays            each stray, in a process of its own, is reported by AddressSanitizer, with the address that it touched
 *    strays valid      uses of every kind, of which none is reported
 *    strays overflow   one stray, here: a control shows that it is not reported where the sanitizer is told to take no notice
 */
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uses.h"

struct block {
  unsigned char *at;
  size_t size;
  void (*release)(void *);
};

static unsigned char volatile sink;
static void write_at(unsigned char *at) { *(unsigned char volatile *)at = 1; }
static void read_at(unsigned char *at) { sink = *(unsigned char volatile *)at; }

/* The address that a stray touches first. */
static unsigned char *behind(struct block of) { return of.at + of.size; }
static unsigned char *in_front(struct block of) { return first_of_eight(of.at) - 1; }
static unsigned char *far_in_front(struct block of) { return of.at - 40; }
static unsigned char *freed(struct block of) {
  of.release(of.at);
  return of.at;
}
static unsigned char *freed_end(struct block of) {
  of.release(of.at);
  return of.at + of.size - 1;
}
static unsigned char *cut_off(struct block of) { return (unsigned char *)lockfast_realloc(of.at, of.size - 1) + of.size - 1; }

static const struct {
  const char *name;
  unsigned char *(*address)(struct block);
} strays[] = {
    {"past the end", behind},       {"before the start", in_front}, {"far before the start", far_in_front},
    {"after free", freed},          {"the end after free", freed_end},
};

static struct block grouped(void) { return (struct block){lockfast_malloc(20), 20, lockfast_free}; }
static struct block full_slot(void) { return (struct block){lockfast_malloc(64), 64, lockfast_free}; }
static struct block large_slot(void) { return (struct block){lockfast_malloc(5000), 5000, lockfast_free}; }
static struct block isolated(void) { return (struct block){lockfast_malloc_isolated(104), 104, lockfast_free}; }
static struct block odd_isolated(void) { return (struct block){lockfast_malloc_isolated(99), 99, lockfast_free}; }
static struct block aligned(void) { return (struct block){lockfast_aligned_alloc(512, 100), 100, lockfast_free}; }
static struct block aligned_isolated(void) { return (struct block){lockfast_aligned_alloc(4096, 100), 100, lockfast_free}; }
static struct block of_compartment(void) {
  struct lockfast_compartment *const made = lockfast_compartment_create();
  require(lockfast_compartment_protect(made, LOCKFAST_READWRITE) == 0, "the compartment opens");
  return (struct block){lockfast_compartment_malloc(made, 33), 33, lockfast_free};
}
static struct block of_drop_in(void) { return (struct block){sodium_malloc(32), 32, sodium_free}; }

static const struct {
  const char *name;
  struct block (*make)(void);
} blocks[] = {
    {"grouped", grouped},
    {"of a whole slot", full_slot},
    {"of a large slot", large_slot},
    {"isolated", isolated},
    {"isolated, of an odd size", odd_isolated},
    {"aligned", aligned},
    {"aligned to a page", aligned_isolated},
    {"of a compartment", of_compartment},
    {"of the drop-in", of_drop_in},
};

static char report[1 << 16];

/* What a child says on standard error; it tells the address of its stray through told. */
static int run(struct block (*make)(void), unsigned char *(*address)(struct block), void (*touch)(unsigned char *),
               unsigned char **told) {
  int ends[2];
  int tells[2];
  require(pipe(ends) == 0 && pipe(tells) == 0, "pipes");
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    dup2(ends[1], 2);
    const struct block of = make();
    require(of.at != NULL, "a secret is allocated");
    memset(of.at, 7, of.size);
    unsigned char *const at = address(of);
    require(write(tells[1], &at, sizeof at) == (ssize_t)sizeof at, "the address is told");
    touch(at);
    of.release(of.at);
    _exit(0);
  }
  close(ends[1]);
  close(tells[1]);
  size_t length = 0;
  for (ssize_t got = 0; (got = read(ends[0], report + length, sizeof report - 1 - length)) > 0;) length += (size_t)got;
  report[length] = 0;
  *told = NULL;
  (void)!read(tells[0], told, sizeof *told);
  close(ends[0]);
  close(tells[0]);
  int status = 0;
  require(waitpid(child, &status, 0) == child, "the child ends");
  return status;
}

static int missed;
static void expect_report(const char *block, struct block (*make)(void), const char *stray, unsigned char *(*address)(struct block),
                          const char *kind, void (*touch)(unsigned char *)) {
  unsigned char *at = NULL;
  const int status = run(make, address, touch, &at);
  char named[64];
  snprintf(named, sizeof named, "address 0x%012lx", (unsigned long)(uintptr_t)at);
  const int reported = at != NULL && status != 0 && strstr(report, "ERROR: AddressSanitizer: ") != NULL && strstr(report, named) != NULL;
  if (reported) return;
  ++missed;
  printf("not reported: a %s %s of a secret %s (%s)\n%s\n", kind, stray, block, named, report);
}

static int all_strays(void) {
  size_t count = 0;
  for (size_t block = 0; block < sizeof blocks / sizeof *blocks; ++block) {
    for (size_t stray = 0; stray < sizeof strays / sizeof *strays; ++stray) {
      expect_report(blocks[block].name, blocks[block].make, strays[stray].name, strays[stray].address, "read", read_at);
      expect_report(blocks[block].name, blocks[block].make, strays[stray].name, strays[stray].address, "write", write_at);
      count += 2;
    }
  }
  expect_report("grouped", grouped, "past a cut end", cut_off, "write", write_at);
  printf("%zu strays, %d not reported\n", count + 1, missed);
  return missed != 0;
}

int main(int count, char **words) {
  if (count < 2) return all_strays();
  if (strcmp(words[1], "valid") == 0) {
    valid_uses();
    puts("done");
    return 0;
  }
  const struct block of = grouped();
  write_at(of.at + of.size);
  puts("not reported at once");
  fflush(stdout);
  lockfast_free(of.at);
  return 0;
}
