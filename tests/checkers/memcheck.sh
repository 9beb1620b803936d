#!/usr/bin/env bash
# memcheck.sh PROGRAM - under valgrind strays are reported with the history of the secret, and valid uses are not.
set -euo pipefail
command -v valgrind > /dev/null || { echo 'skipped: valgrind is not installed'; exit 77; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Where freed secrets trap, a read of one ends the program. A child's pages are not what they would be without valgrind, which takes no
# notice of MADV_DONTFORK: so it has all of them.
export LOCKFAST_OPTIONS=freed=recycle,fork=inherit
# A process that is forked ends by the same status where something is reported, and the program looks at that.
valgrind -q --error-exitcode=9 "$1" valid 2> "$log" || { cat "$log"; exit 1; }
valgrind "$1" 2> "$log" || { cat "$log"; exit 1; }
for said in 'is 0 bytes after a block of size 20 alloc' 'is 1 bytes before a block of size 64 alloc' \
            'is 0 bytes inside a block of size 20 free'; do
  grep -q "$said" "$log" || { cat "$log"; echo "memcheck does not say: $said"; exit 1; }
done
