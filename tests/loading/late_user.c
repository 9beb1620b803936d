/* late_user.c - a library that the allocator does not know, and that needs its secret until its own destructor has run. */
#include "loading/late_user.h"

#include <stddef.h>
#include <unistd.h>

static const unsigned char* held = NULL;

void hold(const unsigned char* secret) { held = secret; }

__attribute__((destructor)) static void use_once_more(void) {
  if (held != NULL && *held != 'x') _exit(9);
}
