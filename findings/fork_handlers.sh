#!/usr/bin/env bash
# fork_handlers.sh - a signal handler runs in the middle of fork(), between the handlers of pthread_atfork.
#
# Version: Linux 6.18, glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14).
# Guess:   A signal that comes during fork() waits until fork() returns, so that what the prepare handlers have locked is free again
#          when its handler runs.
# Seen:    The handler runs as soon as the kernel has copied the process, before the parent handlers: it finds locked what the prepare
#          handlers lock, in its own thread. The child has nothing of what it wrote.
# Source:  glibc 2.36, sysdeps/nptl/_Fork.c, blocks no signal meanwhile; Linux, kernel/fork.c, copy_process(). pthread_atfork(3) does
#          not say it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14
dpkg-deb -x libc6_*.deb root
libraries=$work/root/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { touched = 1 << 29 };

static volatile sig_atomic_t prepared, ran, ran_when_prepared;

static void handler(int number) {
  (void)number;
  ran = 1;
  ran_when_prepared = prepared;
}

/* The timer ends while the kernel copies the page tables of half a gigabyte. */
static void prepare(void) {
  const struct itimerval once = {.it_value = {.tv_usec = 1000}};
  prepared = 1;
  setitimer(ITIMER_REAL, &once, NULL);
}
static void end(void) { prepared = 0; }

int main(void) {
  char *large = mmap(NULL, touched, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (large == MAP_FAILED || madvise(large, touched, MADV_NOHUGEPAGE) != 0) return 1;
  for (long at = 0; at < touched; at += 4096) large[at] = 1;
  signal(SIGALRM, handler);
  if (pthread_atfork(prepare, end, end) != 0) return 1;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) _exit(ran);
  int status = 0;
  waitpid(child, &status, 0);
  printf("between the prepare and the parent handler a signal's handler ran: %s\n", ran_when_prepared ? "yes" : "no");
  printf("the child has what it wrote: %s\n", WEXITSTATUS(status) ? "yes" : "no");
}
PROGRAM

cc -O1 program.c -o program
"$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" ./program >seen
cat seen

diff - seen <<'EXPECTED'
between the prepare and the parent handler a signal's handler ran: yes
the child has what it wrote: no
EXPECTED
