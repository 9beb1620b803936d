# static_sodium.sh - links a program with libsodium.a and the drop-in, in either order, and asks who serves it: the program, by its
# status, and lockfast-served. Both must say the same.
#
#   static_sodium.sh BUILD SOURCE CC      BUILD holds the libraries, SOURCE is the project
set -euo pipefail
build=$1 source=$2 CC=$3
unset CFLAGS LDFLAGS LD_LIBRARY_PATH LOCKFAST_OPTIONS
archive=$($CC -print-file-name=libsodium.a)
[[ -f $archive ]] || { echo 'skipped: libsodium.a is not installed (package libsodium-dev)'; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
faults=0
$CC -std=c99 -I"$source/include" -c "$source/tests/consumer/c/static_sodium.c" -o "$scratch/program.o"

# expect SERVED ARGUMENT...: links, and compares the verdicts: 0 served, 1 not, none when it does not link.
expect() {
  local expected=$1 found=0 told=0 line
  shift
  if ! $CC "$scratch/program.o" "$@" -Wl,-rpath,"$build" -o "$scratch/program" 2>"$scratch/errors"; then
    found=none told=none line=$(grep -m 1 -E 'multiple definition|duplicate symbol' "$scratch/errors" || head -n 1 "$scratch/errors")
  else
    "$scratch/program" || found=$?
    line=$("$source/compat/lockfast-served" "$scratch/program") || told=$?
  fi
  echo "$found $told (expected $expected): $* # $line"
  [[ $found == "$expected" && $told == "$expected" ]] || faults=$((faults + 1))
}

shared=$build/liblockfast-sodium.so static=$build/liblockfast-sodium.a wrapped=$build/liblockfast-sodium-wrap.a
wrap=-Wl,@$build/sodium.wrap
echo 'By order alone: it does not link, or is not served, and lockfast-served says so'
expect 1 "$shared" "$archive"
expect 1 "$archive" "$shared"
expect none "$static" "$archive"
expect 1 "$archive" "$static"

linkers=('')
for linker in gold lld; do
  if $CC -fuse-ld=$linker -Wl,--version -x c /dev/null -o /dev/null >/dev/null 2>&1; then linkers+=("-fuse-ld=$linker"); fi
done
for linker in "${linkers[@]}"; do
  echo "With --wrap: served. ${linker:-The default linker}"
  expect 0 $linker "$wrap" "$shared" "$archive"
  expect 0 $linker "$wrap" "$archive" "$shared"
  expect 0 $linker "$wrap" "$wrapped" "$archive"
  expect 0 $linker "$wrap" "$archive" "$wrapped"
  expect 0 $linker "$wrap" -static "$wrapped" "$archive"
  expect 0 $linker "$wrap" -static "$archive" "$wrapped"
done

echo 'Without libsodium.a'
dynamic=$($CC -print-file-name=libsodium.so)
expect 0 "$shared" "$dynamic"
expect 1 "$dynamic" "$shared"
exit $((faults > 0))
