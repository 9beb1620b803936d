// libgcrypt.cc - its pool of locked memory: first fit, headers between the blocks, four passes of wiping.
#include <gcrypt.h>

#include "bench/peer.h"

namespace {

bool prepare(std::size_t pool_size) {
  if (gcry_check_version(nullptr) == nullptr) return false;
  gcry_control(GCRYCTL_DISABLE_SECMEM_WARN);
  // Whether the pool could be locked is for the benchmark to ask the kernel.
  gcry_control(GCRYCTL_INIT_SECMEM, static_cast<unsigned>(pool_size), 0);
  return gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0) == 0;
}

}  // namespace

const lockfast::bench::peer lockfast_bench_peer{
    .prepare = prepare, .allocate = gcry_malloc_secure, .deallocate = [](void* secret, std::size_t) { gcry_free(secret); }};
