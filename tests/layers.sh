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
forbid boojum 'allocator/(?!cipher/)|compat/|sodium|lockfast/sodium' 'Boojum knows neither the allocator within nor sodium:'
forbid allocator/cipher 'allocator/(?!cipher/|base/bytes\.h)|lockfast/' 'the cipher knows nothing of the allocator:'
forbid compat 'boojum/|sodium\.h' 'the drop-ins know neither Boojum nor libsodium:'
forbid tools 'platform/|allocator/|compat/|boojum/' 'the command knows the public headers alone:'

# Within a layer each folder knows those before it.
within() {
  local layer=$1
  shift
  for folder in "$@"; do
    local above
    above=$(printf '%s\n' "$@" | sed "0,/^$folder\$/d" | paste -sd '|')
    if [ -n "$above" ]; then forbid "$layer/$folder" "$layer/($above)/" "$layer/$folder stands below these:"; fi
    forbid "$layer/$folder" "$layer/[^/\">]*[\">]" "$layer/$folder stands below the files of $layer/ itself:"
  done
}
within allocator base cipher pages isolated grouped compartment
forbid allocator/isolated 'allocator/(grouped|compartment)/' 'isolated and grouped secrets know nothing of each other:'
forbid allocator/grouped 'allocator/isolated/' 'isolated and grouped secrets know nothing of each other:'
within boojum memory crypto files split vault

systems=$(grep -rnE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif).*(_WIN32|__APPLE__|__linux__|__FreeBSD__|__NetBSD__|__OpenBSD__)' \
          allocator compat boojum include/lockfast/*.hpp include/lockfast/detail)
if [ -n "$systems" ]; then
  printf 'system conditionals outside platform/:\n  %s\n' "$systems"
  faults=$((faults + 1))
fi

# A check that finds nothing because there is nothing to read would pass for the wrong reason.
[ "$(grep -rlE '#include "platform/platform.h"' allocator | wc -l)" -ge 3 ] || { echo 'no includes were read'; faults=1; }
exit $((faults > 0))
