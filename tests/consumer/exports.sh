# exports.sh - checks that a shared library exports what the headers declare, unversioned and no more, and needs libc alone.
#
#   exports.sh LIBRARY HEADERS native|drop_in|standalone|gcrypt|openssl BY_NAME      BY_NAME: 1 where the drop-in has a dlsym, else 0
set -euo pipefail
export LC_ALL=C
library=$1 headers=$2 kind=$3 by_name=$4

# declared HEADER PREFIX: the functions that a header declares.
declared() { sed -nE "s/^LOCKFAST_API [^(]*[ *]($2_[a-z_0-9]+)\(.*/\1/p" "$headers/$1"; }

expected() {
  declared lockfast.h lockfast
  case $kind in
    native) ;;
    # Under the names of --wrap too; and dlsym, where the system's can be found behind it.
    drop_in)
      declared sodium.h sodium | grep -vx sodium_init
      declared sodium.h sodium | grep -vx sodium_init | sed 's/^/__wrap_/'
      if ((by_name)); then echo dlsym; fi
      ;;
    standalone) declared sodium.h sodium ;;
    gcrypt)
      declared gcrypt.h lockfast
      echo gcry_check_version
      ;;
    # OpenSSL's headers declare them.
    openssl) printf 'CRYPTO_secure_%s\n' actual_size allocated clear_free free malloc malloc_done malloc_init malloc_initialized used zalloc ;;
  esac
}

if (($(expected | wc -l) < 15)); then
  echo "too few functions are declared in $headers"
  exit 1
fi
echo "$library: declared (<) and exported (>)"
diff <(expected | sort) <(nm -D --defined-only "$library" | sed -E 's/^[0-9a-f]+ T //' | sort)

echo "$library: needed beside libc"
needed=$(readelf -d "$library" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
if grep -vE '^(libc\.|ld-)' <<<"$needed"; then exit 1; fi
