# languages.sh - compiles the public headers as users do: in each standard of C and C++ that they promise, with warnings as errors,
# with each compiler of GCC 12 or newer and clang 16 or newer that is here, and with libc++; runs programs on the C++ types; and
# looks at what a program is told that has an older standard, or a Lockfast without libcrypto. Names what is not here.
#
#   languages.sh INCLUDE LIBRARY FOLDER      LIBRARY: liblockfast.a
set -euo pipefail
export LC_ALL=C
include=$1 library=$2 folder=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Werror "-I$include")
tried=0

fail() {
  echo "failed: $*"
  exit 1
}

# takes LANGUAGE COMPILER...: whether the compiler is here and knows the standard.
takes() { echo 'int main(void) { return 0; }' | "${@:2}" -x "$1" -fsyntax-only - 2>"$scratch/why"; }

# clean SOURCE COMPILER...: it compiles without a warning.
clean() {
  "${@:2}" "${warnings[@]}" -fsyntax-only "$1" || fail "$1 with ${*:2}"
  tried=$((tried + 1))
}

# runs NAME COMPILER...: the program that the compiler makes is without a warning, and ends well.
runs() {
  "${@:2}" "${warnings[@]}" -pthread -o "$scratch/$1" || fail "the program $1 with ${*:2}"
  "$scratch/$1" || fail "the program $1 of ${*:2} ended with status $?"
  tried=$((tried + 1))
}

# told SOURCE TEXT COMPILER...: it does not compile; the first error has the text, and the next one ends it.
told() {
  local said
  if said=$("${@:3}" "-I$include" -fsyntax-only "$1" 2>&1); then fail "$1 with ${*:3} compiles"; fi
  grep -m1 'error:' <<<"$said" | grep -qF "$2" || fail "$1 with ${*:3}: the first error is not: $2"
  (($(grep -c 'error:' <<<"$said") == 2)) || fail "$1 with ${*:3}: $(grep -c 'error:' <<<"$said") errors, of which two would do"
  tried=$((tried + 1))
}

# told_of_vault TEXT COMPILER...: lockfast.hpp says so to a program that names the vault.
told_of_vault() {
  local said
  said=$("${@:2}" -fsyntax-only "$scratch/left_out.cc" 2>&1) || fail "lockfast.hpp with ${*:2}: $said"
  grep -qF "$1" <<<"$said" || fail "lockfast.hpp with ${*:2} does not say of the vault: $1"
  tried=$((tried + 1))
}

cat >"$scratch/c.c" <<'END'
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>
int main(void) {
  void *const secret = lockfast_malloc(32);
  const int refused = secret == 0 || lockfast_check(secret) != 0;
  lockfast_free(secret);
  return refused;
}
END
cp "$scratch/c.c" "$scratch/c.cc"
for header in allocator secret lockfast boojum error_detail libcrypto_memory passphrase procedures sealed_stream secret_input vault; do
  printf '#include <lockfast/%s.hpp>\n' "$header" >"$scratch/$header.cc"
done
printf '#include <lockfast/lockfast.hpp>\nlockfast::vault* held;\n' >"$scratch/left_out.cc"
mkdir "$scratch/without_libcrypto"
cp -r "$include/lockfast" "$scratch/without_libcrypto"
rm "$scratch/without_libcrypto/lockfast/boojum.hpp"

for compiler in gcc-{12..17} clang-{16..24}; do
  takes c "$compiler" || { echo "not here: $compiler"; continue; }
  for standard in c99 c11 c17 c2x gnu17; do
    if takes c "$compiler" "-std=$standard"; then clean "$scratch/c.c" "$compiler" "-std=$standard"; fi
  done

  cxx=${compiler/gcc/g++}
  cxx=${cxx/clang/clang++}
  takes c++ "$cxx" || { echo "not here: $cxx"; continue; }
  for standard in c++11 c++14 c++17 c++20 c++2b c++26; do
    if takes c++ "$cxx" "-std=$standard"; then clean "$scratch/c.cc" "$cxx" "-std=$standard" -fno-exceptions -fno-rtti; fi
  done
  # A program of C++ that needs no run-time library of C++: the C compiler links it.
  "$cxx" -std=c++11 -fno-exceptions -fno-rtti "-I$include" -c "$scratch/c.cc" -o "$scratch/c.o"
  runs c_interface "$compiler" "$scratch/c.o" "$library"

  for header in allocator secret lockfast; do told "$scratch/$header.cc" "need C++20" "$cxx" -std=c++17; done
  for header in boojum error_detail libcrypto_memory passphrase procedures sealed_stream secret_input vault; do
    told "$scratch/$header.cc" "need C++23" "$cxx" -std=c++17
    told "$scratch/$header.cc" "need C++23" "$cxx" -std=c++20
  done

  if takes c++ "$cxx" -std=c++26; then clean "$scratch/lockfast.cc" "$cxx" -std=c++26; fi
  told_of_vault 'needs C++23' "$cxx" -std=c++20 "-I$include"
  told_of_vault 'built without it, since libcrypto' "$cxx" -std=c++2b "-I$scratch/without_libcrypto"
  told_of_vault 'built without it, since libcrypto' "$cxx" -std=c++2b "-I$include" -DLOCKFAST_WITHOUT_LIBCRYPTO

  for library_option in -pthread -stdlib=libc++; do
    by=("$cxx" "$library_option")
    if ! "${by[@]}" -std=c++20 -Werror -x c++ -fsyntax-only - <<<'#include <version>' 2>"$scratch/why"; then
      [[ $cxx == g++* ]] || echo "not here: libc++ of $cxx"
      continue
    fi
    for header in allocator secret; do clean "$scratch/$header.cc" "${by[@]}" -std=c++20 -fno-exceptions -fno-rtti; done
    # One program with files of both standards, each of which tries the types.
    "${by[@]}" -std=c++20 "${warnings[@]}" -Dmain=in_cxx20 -c "$folder/types.cc" -o "$scratch/in_cxx20.o" ||
      fail "types.cc with ${by[*]} in C++20"
    runs types "${by[@]}" -std=c++2b -DOTHER_STANDARD=in_cxx20 "$folder/types.cc" "$scratch/in_cxx20.o" "$library"
  done
done
echo "$tried compilations"
((tried >= 30)) || fail "there are too few compilers here"
