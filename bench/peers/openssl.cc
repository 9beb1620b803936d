// openssl.cc - its secure heap: one arena of a power of two, split by halves.
#include <openssl/crypto.h>

#include <bit>

#include "bench/peer.h"

namespace {

constexpr std::size_t smallest_block = 16;

// Whether the arena could be locked is for the benchmark to ask the kernel.
bool prepare(std::size_t pool_size) { return CRYPTO_secure_malloc_init(std::bit_floor(pool_size), smallest_block) != 0; }

}  // namespace

const lockfast::bench::peer lockfast_bench_peer{
    .prepare = prepare,
    .allocate = [](std::size_t size) { return OPENSSL_secure_malloc(size); },
    .deallocate = [](void* secret, std::size_t size) { OPENSSL_secure_clear_free(secret, size); }};
