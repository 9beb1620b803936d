/* initialised.c - a program on libraries that are built with MemorySanitizer.
 *
 *    initialised            uses of every kind: the libraries decide nothing by a byte that nobody wrote
 *    initialised planted    hands them one: the control, which is to be reported within the library
 */
#include <lockfast/lockfast.h>
#include <stdio.h>
#include <string.h>

#include "uses.h"

int main(int count, char **words) {
  if (count > 1 && strcmp(words[1], "planted") == 0) {
    struct lockfast_options unwritten;
    __asm__ volatile("" : : "r"(&unwritten) : "memory");
    return lockfast_configure(&unwritten);
  }
  valid_uses();
  puts("done");
  return 0;
}
