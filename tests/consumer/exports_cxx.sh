# exports_cxx.sh - checks that liblockfast-boojum exports the classes that the headers declare and nothing else of ours, and what
# it needs.
#
#   exports_cxx.sh LIBRARY HEADERS
set -euo pipefail
export LC_ALL=C
library=$1 headers=$2

declared=$(sed -nE 's/^class LOCKFAST_API ([a-z_]+).*/\1/p' "$headers"/*.hpp | sort -u)
if (($(wc -l <<<"$declared") < 6)); then
  echo "too few classes are declared in $headers"
  exit 1
fi

# What the C++ run-time library's templates leave behind is weak or unique; ours is strong.
strong=$(nm -DC --defined-only "$library" | sed -nE 's/^[0-9a-f]+ [A-TW-Z] //p')
# Between the two is the name of the standard library (detail/standard_library.hpp).
exported=$(sed -nE 's/^lockfast::lib[a-z0-9_]+::([a-z_]+)::.*/\1/p' <<<"$strong" | sort -u)
echo "$library: classes declared (<) and exported (>)"
diff <(echo "$declared") <(echo "$exported")

echo "$library: exported beside them"
if grep -vE '^lockfast::lib[a-z0-9_]+::[a-z_]+::' <<<"$strong"; then exit 1; fi

echo "$library: needed beside liblockfast, libcrypto and the C++ run-time library"
needed=$(readelf -d "$library" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
grep -q '^liblockfast\.so\.[0-9]' <<<"$needed" || exit 1
if grep -vE '^(liblockfast|libcrypto|libstdc\+\+|libgcc_s|libm|libc|ld-)' <<<"$needed"; then exit 1; fi
