#!/usr/bin/env bash
# afl_gcc_plugin.sh - AFL++'s plug-in for GCC refuses the very version of GCC that it asks for.
#
# Version: afl++ 4.04c-4 beside g++-12 12.2.0-14+deb12u1, both of Debian 12, x86-64.
# Guess:   A plug-in that was built for GCC 12.2.0 runs in GCC 12.2.0, above all in that of the same release of Debian.
# Seen:    "GCC and plugin have incompatible versions, expected GCC 12.2.0, is 12.2.0", and nothing is compiled.
# Source:  gcc/plugin.c, plugin_default_version_check(): beside the number it compares the line that GCC was configured with. In Debian's
#          that line holds the name of the build folder (--enable-offload-targets), which was another for 12.2.0-14 than for the
#          update deb12u1: the lines differ in nothing else. scripts/fuzz --afl takes clang for this reason.
set -euo pipefail

if [[ $(dpkg-query -W -f '${Version}' g++-12 2> /dev/null) != 12.2.0-14+deb12u1 ]]; then
  echo "needs g++-12 12.2.0-14+deb12u1" >&2
  exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download afl++=4.04c-4
dpkg-deb -x ./*.deb root

echo 'int main() {}' > empty.cc
{
  folder() { grep -o 'nvptx-none=/build/[^/]*' | sed 's/.*=//'; }
  printf 'built in %s; the plug-in for one that was built in %s\n' "$(g++-12 -v 2>&1 | folder)" \
    "$(strings root/usr/lib/afl/afl-gcc-pass.so | folder)"
  printf 'by g++ itself: '
  g++-12 empty.cc -o empty && echo compiled
  printf 'with the plug-in: '
  AFL_PATH=root/usr/lib/afl AFL_CC=g++-12 AFL_CXX=g++-12 root/usr/bin/afl-g++-fast empty.cc -o other 2>&1 |
    grep -o 'GCC and plugin.*12\.2\.0, is 12\.2\.0' || true
  if [[ -e other ]]; then echo 'and compiled'; else echo 'and nothing is compiled'; fi
} > seen

cat seen
diff - seen << 'EXPECTED'
built in /build/reproducible-path; the plug-in for one that was built in /build/gcc-12-bTRWOB
by g++ itself: compiled
with the plug-in: GCC and plugin have incompatible versions, expected GCC 12.2.0, is 12.2.0
and nothing is compiled
EXPECTED
