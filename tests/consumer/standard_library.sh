# standard_library.sh - a program compiled with another standard library than liblockfast-boojum, or with another layout of the same,
# does not link, and the linker names both; with the same one it links and runs.
#
#   standard_library.sh SHARED STATIC BASE_SHARED BASE_STATIC HEADERS CXX       77: there is no other standard library here
set -euo pipefail
export LC_ALL=C
shared=$1 static=$2 base_shared=$3 base_static=$4 headers=$5 cxx=$6
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "failed: $*"
  exit 1
}

# build NAME COMMAND...: compiles the design's sample, and links it with the shared library and with the static one.
build() {
  local name=$scratch/$1
  shift
  "$@" -std=c++23 -I"$headers" -c "$folder/cxx/boojum.cc" -o "$name.o" || fail "$* does not compile the sample"
  linked=0
  "$@" "$name.o" -o "$name.shared" "$shared" "$base_shared" "-Wl,-rpath,$(dirname "$shared")" 2>"$name.shared.text" && linked=1
  "$@" "$name.o" -o "$name.static" "$static" "$base_static" -lcrypto -pthread 2>"$name.static.text" && linked=$((linked + 2))
  return 0
}

# refused NAME TAG: neither linked, and the linker names what is missing.
refused() {
  ((linked == 0)) || fail "$1 linked"
  for kind in shared static; do
    grep -q "undefined reference to .lockfast::$2::vault::vault()" "$scratch/$1.$kind.text" ||
      { cat "$scratch/$1.$kind.text"; fail "$1, $kind: for another reason"; }
  done
  echo "$1: does not link, as it should"
}

build same "$cxx"
((linked == 3)) || { cat "$scratch"/same.*.text; fail "the same standard library"; }
"$scratch/same.shared" && "$scratch/same.static" || fail "the sample"
echo "same: links and runs"

build debug "$cxx" -D_GLIBCXX_DEBUG
refused debug libstdcxx_debug

clang=
for each in clang++-19 clang++; do
  if echo '#include <expected>
int main() { return std::expected<int, int>(0).value(); }' |
     "$each" -std=c++23 -stdlib=libc++ -x c++ - -o "$scratch/probe" 2>/dev/null; then
    clang=$each
    break
  fi
done
[[ -n $clang ]] || { echo "skipped: there is no clang++ with a libc++ that has std::expected"; exit 77; }
build libcxx "$clang" -stdlib=libc++
refused libcxx libcxx_1
