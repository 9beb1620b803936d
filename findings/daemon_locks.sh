#!/usr/bin/env bash
# daemon_locks.sh - daemon() takes the locks off everything that the program has locked, and says nothing.
#
# Version: Linux 6.18, glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14).
# Guess:   A program that locks its key, then becomes a daemon, has the key locked.
# Seen:    Nothing is locked afterwards: daemon() forks and its parent ends, and a forked child inherits no lock. A lock
#          that is taken after daemon() holds.
# Source:  mlock(2), on what a child of fork(2) inherits; daemon(3); glibc, misc/daemon.c.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14
dpkg-deb -x libc6_*.deb root
libraries=$work/root/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { page_size = 4096 };

static void tell(const char *when) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  int locked = -1;
  while (fgets(line, sizeof line, status) != NULL && sscanf(line, "VmLck: %d", &locked) != 1) {}
  fclose(status);
  printf("%s: %d kB locked\n", when, locked);
  fflush(stdout);
}

int main(void) {
  void *key = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mlock(key, page_size) != 0) return 1;
  tell("before daemon()");
  if (daemon(1, 1) != 0) return 1;
  tell("after it");
  if (mlock(key, page_size) != 0) return 1;
  tell("locked again");
  fclose(fopen("done", "w"));
}
PROGRAM

cc -O1 program.c -o program
"$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" ./program >seen
for _ in {1..50}; do [[ -e done ]] && break; sleep 0.1; done
cat seen

diff - seen <<'EXPECTED'
before daemon(): 4 kB locked
after it: 0 kB locked
locked again: 4 kB locked
EXPECTED
