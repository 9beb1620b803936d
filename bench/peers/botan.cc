// botan.cc - its locking allocator, as secure_vector calls it. The pool's size is Botan's own: at most 512 KiB. What does not
// fit, and what is longer than 256 bytes, comes from the ordinary heap without a word.
#include <botan/mem_ops.h>

#include "bench/peer.h"

const lockfast::bench::peer lockfast_bench_peer{
    .prepare = [](std::size_t) { return true; },
    .allocate = [](std::size_t size) { return Botan::allocate_memory(size, 1); },
    .deallocate = [](void* secret, std::size_t size) { Botan::deallocate_memory(secret, size, 1); }};
