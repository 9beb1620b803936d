// mimalloc.cc - an ordinary allocator whose client wipes. Opened as a module, it does not replace the process's malloc.
#include <mimalloc.h>

#include <cstring>

#include "bench/peer.h"

const lockfast::bench::peer lockfast_bench_peer{.prepare = [](std::size_t) { return true; },
                                                .allocate = mi_malloc,
                                                .deallocate =
                                                    [](void* secret, std::size_t size) {
                                                      explicit_bzero(secret, size);
                                                      mi_free(secret);
                                                    }};
