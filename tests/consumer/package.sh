# package.sh - installs a build, and lets projects and a plain compiler find, build and run against what was installed.
#
#   package.sh BUILD LIBDIR CC CXX GENERATOR      LIBDIR is relative to the prefix; GENERATOR is CMake's
set -euo pipefail
build=$1 libdir=$2
export CC=$3 CXX=$4 CMAKE_GENERATOR=$5
unset CFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH LOCKFAST_OPTIONS
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

fail() {
  echo "failed: $*"
  exit 1
}

cmake --install "$build" --prefix "$prefix"

for language in c cxx; do
  echo "A $language project finds, builds and runs"
  cmake -S "$folder/$language" -B "$scratch/$language" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
  cmake --build "$scratch/$language" --parallel 2
  ctest --test-dir "$scratch/$language" --output-on-failure --no-tests=error
done

# plain NAME SOURCE ARGUMENT...: compiles one C program without CMake, and runs it.
plain() {
  local name=$scratch/$1 source=$folder/c/$2
  shift 2
  echo "A plain compiler: $*"
  $CC -std=c99 "$source" -I"$prefix/include" -L"$prefix/$libdir" -Wl,-rpath,"$prefix/$libdir" "$@" -o "$name"
  "$name"
}

plain native native.c -llockfast
plain native_static native.c -l:liblockfast.a
plain drop_in drop_in.c -llockfast-sodium
plain drop_in_static drop_in.c -l:liblockfast-sodium.a
plain standalone drop_in.c -DSTANDALONE -llockfast-sodium-standalone
plain standalone_static drop_in.c -DSTANDALONE -l:liblockfast-sodium-standalone.a
if [[ -f $($CC -print-file-name=libsodium.a) ]]; then
  plain beside_archive static_sodium.c "-Wl,@$prefix/$libdir/lockfast/sodium.wrap" -l:libsodium.a -l:liblockfast-sodium-wrap.a
  "$prefix/bin/lockfast-served" "$scratch/beside_archive"
fi

for program in native_static drop_in_static standalone_static; do
  ! readelf -d "$scratch/$program" | grep -q 'NEEDED.*lockfast' || fail "$program is not static"
done
for program in native drop_in standalone; do
  readelf -d "$scratch/$program" | grep -q 'NEEDED.*lockfast.*\.so\.[0-9]' || fail "$program has no versioned library"
done
