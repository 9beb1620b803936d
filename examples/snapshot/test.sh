# test.sh - what the snapshot example promises: a wrong passphrase touches nothing, a damaged file costs one save at the most,
# and a kill in the middle of a write costs none that was told of.
#
#   test.sh SNAPSHOT
set -euo pipefail
snapshot=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
file=$work/state
cost=10

fail() {
  echo "failed: $*"
  exit 1
}

# run PASSPHRASE ARGUMENT...: output in $work/out.
run() { printf '%s\n' "$1" | "$snapshot" "$file" "${@:2}" >"$work/out" 2>"$work/err"; }
loaded() { sed -n 's/^loaded //p' "$work/out"; }
saved() { sed -n 's/^saved //p' "$work/out" | tail -n 1; }

echo "It begins at 0, and goes on where it was"
run 'correct horse' 3 0 $cost
[[ $(loaded) == 0 && $(saved) == 3 ]] || fail "first run: $(cat "$work/out")"
run 'correct horse' 2 0 $cost
[[ $(loaded) == 3 && $(saved) == 5 ]] || fail "second run: $(cat "$work/out")"
[[ $(stat -c %a "$file") == 600 ]] || fail "the file is open to others"

echo "A wrong passphrase is told apart, and touches nothing"
cp "$file" "$work/before"
status=0
run 'wrong horse' 1 0 $cost || status=$?
[[ $status == 2 ]] || fail "a wrong passphrase leaves with $status"
cmp "$file" "$work/before" || fail "a wrong passphrase changed the file"

echo "A file that was cut short, or changed, costs one save"
for damage in cut flip; do
  if [[ $damage == cut ]]; then
    truncate -s $(($(stat -c %s "$file") / 2)) "$file"
  else
    printf 'X' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") - 3)) conv=notrunc status=none
  fi
  run 'correct horse' 1 0 $cost || fail "a damaged file: $(cat "$work/err")"
  grep -q 'is not whole' "$work/out" || fail "a damaged file was not noticed"
  [[ $(loaded) == 4 && $(saved) == 5 ]] || fail "after damage: $(cat "$work/out")"
done

echo "A kill in the middle of a write loses nothing that was saved"
known=$(saved)
for delay in 03 05 07 09 11 13 15 17 19 21 23 25; do
  printf 'correct horse\n' | "$snapshot" "$file" 0 0 $cost >"$work/out" 2>&1 &
  child=$!
  sleep "0.$delay"
  kill -9 $child 2>/dev/null || fail "it ended before it was killed: $(cat "$work/out")"
  wait $child 2>/dev/null || true
  told=$(sed -n -e 's/^loaded //p' -e 's/^saved //p' "$work/out" | tail -n 1)
  known=${told:-$known}
  run 'correct horse' 1 0 $cost || fail "after a kill: $(cat "$work/err")"
  now=$(loaded)
  ((now == known || now == known + 1)) || fail "$known was saved, then $now was loaded"
  known=$(saved)
  if grep -q 'is not whole' "$work/out"; then fail "a kill left a damaged file"; fi
done
echo "nothing is lost"
