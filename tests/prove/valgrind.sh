#!/bin/sh
# A program on Lockfast under valgrind: no error, and no system call is named as unhandled more than once, however many secrets
# there are. Valgrind names one whenever it meets it. valgrind.sh PROGRAM
set -eu
command -v valgrind > /dev/null || { echo "skipped: valgrind is not installed"; exit 77; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
valgrind --error-exitcode=9 "$1" 2> "$log" || { cat "$log"; exit 1; }
# What a clean run says last: the program did run under it.
grep -q 'ERROR SUMMARY: 0 errors' "$log" || { cat "$log"; exit 1; }
calls=$(sed -n 's/.*unhandled .*syscall: *//p' "$log" | sort)
repeated=$(printf '%s\n' "$calls" | uniq -d)
echo "valgrind does not know the system calls:" $calls
[ -z "$repeated" ] || { echo "tried again after a refusal:" $repeated; exit 1; }
