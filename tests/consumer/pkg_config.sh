# pkg_config.sh - every installed library has a file of pkg-config, by which a program is linked with it, shared and wholly static,
# and runs; also after the installation was moved.
#
#   pkg_config.sh BUILD LIBDIR CC CXX      LIBDIR is relative to the prefix       77: pkg-config is not there
set -euo pipefail
export LC_ALL=C
build=$1 libdir=$2 CC=$3 CXX=$4
unset CFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH LOCKFAST_OPTIONS
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "failed: $*"
  exit 1
}

command -v pkg-config >/dev/null || { echo 'skipped: pkg-config is not installed'; exit 77; }
cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
prefix="$scratch/moved here"
mv "$scratch/prefix" "$prefix"
export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig

for archive in "$prefix/$libdir"/liblockfast*.a; do
  name=$(basename "${archive%.a}")
  pkg-config --exists --print-errors "${name#lib}" || fail "$name has no file of pkg-config"
done

static_libc=1
echo 'int main(void) { return 0; }' >"$scratch/empty.c"
$CC -static "$scratch/empty.c" -o "$scratch/empty" 2>/dev/null || static_libc=
[[ -n $static_libc ]] || echo 'left out: static programs, since there is no static C library'

# linked LIBRARY COMPILER ARGUMENT...: a program of the library's, shared and static, which runs. What pkg-config prints is quoted
# for a shell.
linked() {
  local library=$1 program=$scratch/$1
  shift
  eval "local flags=($(pkg-config --cflags --libs "$library"))"
  "$@" "${flags[@]}" -Wl,-rpath,"$prefix/$libdir" -o "$program"
  "$program" || fail "$library: the shared program"
  [[ -n $static_libc ]] || return 0
  eval "flags=($(pkg-config --static --cflags --libs "$library"))"
  "$@" -static "${flags[@]}" -o "$program.static" 2>"$program.errors" || { cat "$program.errors"; fail "$library: the static program does not link"; }
  "$program.static" || fail "$library: the static program"
  ! readelf -d "$program.static" | grep NEEDED || fail "$library: the static program is not static"
  echo "$library: shared and static"
}

linked lockfast "$CC" -std=c99 "$folder/c/native.c"
linked lockfast-sodium "$CC" -std=c99 "$folder/c/drop_in.c"
linked lockfast-sodium-standalone "$CC" -std=c99 -DSTANDALONE "$folder/c/drop_in.c"
for library in lockfast lockfast-sodium lockfast-sodium-standalone; do
  readelf -d "$scratch/$library" | grep -q "NEEDED.*lib$library\.so\.[0-9]" || fail "$library: the shared program has no versioned library"
done
archive=$($CC -print-file-name=libsodium.a)
if [[ -f $archive && -f $prefix/$libdir/liblockfast-sodium-wrap.a ]]; then
  linked lockfast-sodium-wrap "$CC" -std=c99 "$folder/c/static_sodium.c" "$archive"
fi
if [[ -f $prefix/$libdir/liblockfast-boojum.a ]]; then
  linked lockfast-boojum "$CXX" "$folder/cxx/boojum.cc"
fi
