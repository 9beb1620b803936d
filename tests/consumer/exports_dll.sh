# exports_dll.sh - checks that a DLL exports what the headers declare and no more, and which libraries it needs.
#
#   exports_dll.sh DLL HEADERS LIBRARY OBJDUMP
set -euo pipefail
export LC_ALL=C
dll=$1 headers=$2 library=$3 objdump=$4

# declared HEADER PREFIX: the functions that a header declares.
declared() { sed -nE "s/^LOCKFAST_API [^(]*[ *]($2_[a-z_0-9]+)\(.*/\1/p" "$headers/$1"; }

expected() {
  case $library in
    lockfast-boojum) sed -nE 's/^class LOCKFAST_API ([a-z_]+).*/\1/p' "$headers"/*.hpp ;;
    *) declared lockfast.h lockfast ;;
  esac
  case $library in
    lockfast-sodium) declared sodium.h sodium | grep -vx sodium_init ;;
    lockfast-sodium-standalone) declared sodium.h sodium ;;
  esac
}

# Of C++ names the class is what is declared.
exported() {
  "$objdump" -p "$dll" | sed -nE '/^\[Ordinal\/Name Pointer\] Table/,/^$/s/^[[:space:]]*\[ *[0-9]+\].* ([^ ]+)$/\1/p' |
    if [[ $library == lockfast-boojum ]]; then c++filt | sed -E 's/^lockfast::lib[a-z0-9_]+::([a-z_]+)::.*/\1/'; else cat; fi
}

if (($(expected | sort -u | wc -l) < 6)); then
  echo "too few names are declared in $headers"
  exit 1
fi
echo "$dll: declared (<) and exported (>)"
diff <(expected | sort -u) <(exported | sort -u)

allowed='KERNEL32|msvcrt|bcrypt'
[[ $library != lockfast-boojum ]] || allowed="$allowed|ADVAPI32|CRYPT32|WS2_32|USER32|ntdll|libstdc\+\+-6|libgcc_s_seh-1|libwinpthread-1|liblockfast"
echo "$dll: needed beside $allowed"
if "$objdump" -p "$dll" | sed -nE 's/.*DLL Name: (.*)\.dll/\1/p' | grep -vxE "$allowed"; then exit 1; fi
