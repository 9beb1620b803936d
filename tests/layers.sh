#!/usr/bin/env bash
# Each layer includes only what is below it (docs/design.md), and no file outside platform/ asks which system it is on.
set -u
cd "$1" || exit 1
faults=0

# forbid FOLDER PATTERN REASON: no include line in FOLDER matches PATTERN.
forbid() {
  local found
  found=$(grep -rnP "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" "$1" --include='*.h' --include='*.hpp' --include='*.cc' --include='*.c')
  if [ -n "$found" ]; then
    printf '%s\n  %s\n' "$3" "$found"
    faults=$((faults + 1))
  fi
}

forbid include 'platform/|allocator/|compat/|boojum/' 'public headers know nothing internal:'
forbid platform 'allocator/|compat/|boojum/|lockfast/' 'platform knows no layer above it:'
forbid allocator 'compat/|boojum/|lockfast/sodium|sodium' 'the allocator knows neither Boojum nor sodium:'
# The cipher is below both: Boojum has it, and it knows no more of the allocator than how bytes are wiped and compared.
forbid boojum 'allocator/(?!(chacha20|poly1305|aead)\.h)|compat/|sodium|lockfast/sodium' 'Boojum knows neither the allocator within nor sodium:'
for cipher in allocator/{chacha20,poly1305,aead}.{h,cc}; do
  forbid "$cipher" 'allocator/(?!(bytes|chacha20|poly1305|aead)\.h)|lockfast/' 'the cipher knows nothing of the allocator:'
done
forbid compat 'boojum/|sodium\.h' 'the drop-ins know neither Boojum nor libsodium:'

systems=$(grep -rnE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif).*(_WIN32|__APPLE__|__linux__|__FreeBSD__|__OpenBSD__)' \
          allocator compat boojum include/lockfast/*.hpp include/lockfast/detail)
if [ -n "$systems" ]; then
  printf 'system conditionals outside platform/:\n  %s\n' "$systems"
  faults=$((faults + 1))
fi

# A check that finds nothing because there is nothing to read would pass for the wrong reason.
[ "$(grep -rlE '#include "platform/platform.h"' allocator | wc -l)" -ge 3 ] || { echo 'no includes were read'; faults=1; }
exit $((faults > 0))
