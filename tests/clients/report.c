/* report.c - preloaded beside the drop-in: tells, when a program ends, how often the drop-in served it.
 *
 * Appends one line per program to the file that LOCKFAST_REPORT names. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#pragma weak lockfast_get_statistics

__attribute__((destructor)) static void report(void) {
  const char* path = getenv("LOCKFAST_REPORT");
  if (path == NULL || lockfast_get_statistics == NULL) return;
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  struct lockfast_statistics counts;
  lockfast_get_statistics(&counts);
  dprintf(file, "%s allocations=%" PRIu64 " frees=%" PRIu64 " refusals=%" PRIu64 "\n", program_invocation_short_name,
          counts.allocations, counts.frees, counts.refusals);
  close(file);
}
