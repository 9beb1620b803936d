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

# What find_package says of components.
finds() {
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(finds LANGUAGES C)\nfind_package(lockfast 0.1 %s)\nmessage(STATUS "found: ${lockfast_FOUND}")\n' \
    "$1" >"$scratch/CMakeLists.txt"
  rm -rf "$scratch/finds"
  cmake -S "$scratch" -B "$scratch/finds" -DCMAKE_PREFIX_PATH="$prefix" "${@:2}" 2>&1 || true
}
grep -q 'found: 1' <<<"$(finds 'REQUIRED COMPONENTS core sodium')" || fail "core and sodium are not found"
grep -q 'no component heap, but: core' <<<"$(finds 'REQUIRED COMPONENTS heap')" || fail "an unknown component is taken"
# A C program needs nothing of OpenSSL's.
grep -q 'found: 1' <<<"$(finds 'REQUIRED COMPONENTS core' -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON)" || fail "core needs OpenSSL"

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

for file in share/doc/lockfast/LICENSE share/doc/lockfast/docs/design.md; do
  [[ -f $prefix/$file ]] || fail "$file is not installed"
done

for program in native_static drop_in_static standalone_static; do
  ! readelf -d "$scratch/$program" | grep -q 'NEEDED.*lockfast' || fail "$program is not static"
done
for program in native drop_in standalone; do
  readelf -d "$scratch/$program" | grep -q 'NEEDED.*lockfast.*\.so\.[0-9]' || fail "$program has no versioned library"
done
