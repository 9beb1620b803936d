// peer.h - what a peer module exports: another library's allocator, behind the functions that the benchmarks call.
//
// A peer is a module of its own, opened in the worker process that measures it. So no library's pool, start-up or malloc is
// in another's process, and a pool that is locked when its library is loaded is locked in the process that uses it: a lock
// is not inherited by fork.
#ifndef LOCKFAST_BENCH_PEER_H
#define LOCKFAST_BENCH_PEER_H

#include <cstddef>

namespace lockfast::bench {

struct peer {
  // Makes a pool of about pool_size bytes, where the library has one of a size that can be chosen; false when refused.
  bool (*prepare)(std::size_t pool_size);
  void* (*allocate)(std::size_t size);
  void (*deallocate)(void* secret, std::size_t size);  // wipes size bytes, one way or another
};

}  // namespace lockfast::bench

extern "C" __attribute__((visibility("default"))) const lockfast::bench::peer lockfast_bench_peer;

#endif
