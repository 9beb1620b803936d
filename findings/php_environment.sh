#!/usr/bin/env bash
# php_environment.sh - a library's exit handler finds an empty environment in the php command, without an error of any kind.
#
# Version: PHP 8.2.36 (Debian 12, php8.2-cli 8.2.36-1~deb12u1), glibc 2.36.
# Guess:   A variable that the library read when it was loaded, and that the script still reads in its last line, is there for
#          the library's destructor, too: nobody has removed it.
# Seen:    getenv() gives null there, of every variable. A report, a trace or a log that is named by the environment and opened at
#          exit is not written. The script's own getenv() works to its end, and in its shutdown functions.
# Source:  php-src, sapi/cli/ps_title.c, cleanup_ps_args: main calls it before it returns. It frees the copy of the environment that
#          was made to have room for a process title, and has environ point to an empty one, with a comment that says so.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download php8.2-cli:amd64=8.2.36-1~deb12u1 libsodium23:amd64=1.0.18-1+deb12u1 \
  libargon2-1:amd64=0~20171227-0.3+deb12u1 libxml2:amd64=2.9.14+dfsg-1.3~deb12u6 libicu72:amd64=72.1-3+deb12u1 \
  libpcre2-8-0:amd64=10.42-1+deb12u2
for package in *.deb; do dpkg-deb -x "$package" root; done

cat >library.c <<'LIBRARY'
#include <stdio.h>
#include <stdlib.h>
static void say(const char *when) {
  const char *value = getenv("TRACE_TO");
  fprintf(stderr, "%s: %s\n", when, value ? value : "null");
}
__attribute__((constructor)) static void begin(void) { say("the library, loaded"); }
__attribute__((destructor)) static void end(void) { say("the library, at exit"); }
LIBRARY
cc -shared -fPIC -o library.so library.c
cat >program.php <<'PROGRAM'
<?php
register_shutdown_function(function () { fwrite(STDERR, "the script, shutting down: " . getenv('TRACE_TO') . "\n"); });
fwrite(STDERR, "the script: " . getenv('TRACE_TO') . "\n");
PROGRAM

{
  echo '-- php'
  TRACE_TO=file LD_PRELOAD=./library.so LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu root/usr/bin/php8.2 -n program.php 2>&1
  echo '-- /bin/true, for comparison'
  TRACE_TO=file LD_PRELOAD=./library.so /bin/true 2>&1
} | tee seen

diff - seen <<'EXPECTED'
-- php
the library, loaded: file
the script: file
the script, shutting down: file
the library, at exit: null
-- /bin/true, for comparison
the library, loaded: file
the library, at exit: file
EXPECTED
