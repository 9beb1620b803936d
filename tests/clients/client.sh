# client.sh - runs a real client of libsodium on Lockfast's drop-in, and shows that its calls went there.
#
#   . client.sh "$@"                 first; the arguments are the drop-in and the library that reports its statistics
#   needs PROGRAM PACKAGE            skips the test where the program is not installed
#   served PROGRAM ARGUMENT...       runs it with the drop-in in libsodium's place, without a terminal
#   fails COMMAND...                 succeeds when the command fails by its own choice
#   by_name PROGRAM ARGUMENT...      runs one that looks libsodium's functions up and checks itself whose they are
#   was_served PROGRAM SYMBOL...     checks that its calls of these symbols were bound to the drop-in, and were made
set -euo pipefail

skipped=77
drop_in=$1
report=$2
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export HOME=$scratch LC_ALL=C

fail() {
  echo "failed: $*"
  exit 1
}

skip() {
  echo "skipped: $*"
  exit "$skipped"
}

needs() {
  [[ -n $(type -P "$1") ]] || skip "$1 is not installed (package $2)"
}

served() {
  setsid --wait timeout 120 env LD_PRELOAD="$drop_in:$report" LOCKFAST_REPORT="$scratch/served" LOCKFAST_OPTIONS= \
    LD_DEBUG=bindings LD_DEBUG_OUTPUT="$scratch/bindings" "$@"
}

by_name() {
  local status=0
  served "$@" || status=$?
  ((status != skipped)) || exit "$skipped"
  ((status == 0)) || fail "$*: status $status"
  grep -qE '^[^ ]+ allocations=[1-9]' "$scratch/served" || fail "$1 allocated nothing from the drop-in"
}

fails() {
  local status=0
  "$@" || status=$?
  ((status > 0 && status < 124)) || fail "$*: status $status instead of a failure"
}

was_served() {
  local program=$1 symbol
  shift
  [[ -s $scratch/served ]] || fail "the drop-in was loaded into no program"
  cat "$scratch/served"
  for symbol; do
    grep -hqE "binding file .* to .*/$(basename "$drop_in").* symbol .$symbol'" "$scratch"/bindings.* ||
      fail "$symbol was not bound to $drop_in"
  done
  grep -qE "^$program allocations=[1-9]" "$scratch/served" || fail "$program allocated nothing from the drop-in"
  ! grep -qE 'refusals=[1-9]' "$scratch/served" || fail "an allocation was refused"
}
