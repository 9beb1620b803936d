#!/bin/sh
# Whether the threat model names only tests that exist, each of which it uses, and every test of the threat suite.
# claims.sh DOCUMENT SUITE=PROGRAM...      without a program, a suite is named that was not built: its tests are not looked for
set -eu
document=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
left_out=
for pair in "$@"; do
  [ -n "${pair#*=}" ] || { left_out="$left_out ${pair%%=*}"; continue; }
  "${pair#*=}" --list-test-cases | grep -v -e '^\[doctest\]' -e '^===' | sed "s/^/${pair%%=*}: /"
done | sort > "$work/tests"
sed -n 's/^| T[0-9]* | \([a-z]*\) | \(.*\) |$/\1: \2/p' "$document" | sort > "$work/claimed"
for suite in $left_out; do
  echo "tests of $suite are not looked for: it was not built"
  grep -v "^$suite: " "$work/claimed" > "$work/rest" || true
  mv "$work/rest" "$work/claimed"
done
sed -n 's/^| \(T[0-9]*\) | [a-z]* | .*/\1/p' "$document" | sort > "$work/numbers"
# What the text refers to; "T31 to T41" is each of them.
sed '/^| T[0-9]* |/d' "$document" | tr -cs 'A-Za-z0-9' '\n' | awk '
  /^T[0-9]+$/ {
    number = substr($0, 2) + 0
    for (each = to ? last + 1 : number; each <= number; ++each) print "T" each
    last = number
  }
  { to = ($0 == "to" && before ~ /^T[0-9]+$/); before = $0 }' | sort -u > "$work/used"

[ -s "$work/claimed" ] || { echo "no test is named in $document"; exit 1; }
status=0
report() {
  [ -s "$work/found" ] || return 0
  sed "s/^/$1: /" "$work/found"
  status=1
}
comm -13 "$work/tests" "$work/claimed" > "$work/found"; report "named, but no test"
grep '^threat: ' "$work/tests" | comm -23 - "$work/claimed" > "$work/found"; report "a test that the document leaves out"
uniq -d "$work/claimed" > "$work/found"; report "named twice"
uniq -d "$work/numbers" > "$work/found"; report "a number given twice"
comm -13 "$work/numbers" "$work/used" > "$work/found"; report "referred to, but not in the list"
comm -23 "$work/numbers" "$work/used" > "$work/found"; report "in the list, but not referred to"
exit $status
