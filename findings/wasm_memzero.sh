#!/usr/bin/env bash
# wasm_memzero.sh - libsodium-wrappers' memzero(key) leaves the copy of the key that a call has made in WebAssembly's memory.
#
# Version: libsodium-wrappers 0.8.4 and libsodium 0.8.4 (npm), run by the Node 20 that is installed.
# Guess:   memzero(key) after the last use leaves no copy, as sodium_memzero does in C.
# Seen:    Each call copies its arguments into WebAssembly's memory and frees the copy without a wipe. memzero overwrites the
#          caller's array alone. The whole key can be found in that memory afterwards.
# Source:  libsodium.js, issue 349 (memzero works on the array; not on the memory) and pull request 385 (wipe before free).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{}' >package.json
npm install --silent --no-audit --no-fund libsodium-wrappers@0.8.4 libsodium@0.8.4

cat >program.cjs <<'PROGRAM'
const sodium = require('libsodium-wrappers');

function inMemory(bytes) {
  return Buffer.from(sodium.libsodium.HEAPU8.buffer).includes(bytes) ? 'the whole key' : 'no key';
}

sodium.ready.then(() => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => (37 * i + 11) & 255);
  const expected = Buffer.from(key);
  console.log(`before the call: ${inMemory(expected)}`);
  sodium.crypto_secretbox_easy('text', new Uint8Array(24), key);
  sodium.memzero(key);
  console.log(`the array after memzero: ${key.every((byte) => byte === 0) ? 'zeros' : 'not zeros'}`);
  console.log(`WebAssembly's memory after memzero: ${inMemory(expected)}`);
});
PROGRAM

node program.cjs | tee seen

diff - seen <<'EXPECTED'
before the call: no key
the array after memzero: zeros
WebAssembly's memory after memzero: the whole key
EXPECTED
