// subject.cc - libsodium found at run time, and Lockfast under a chosen policy.
#include "bench/subject.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace lockfast::bench {
namespace {

constexpr const char* library_names[] = {"libsodium.so.23", "libsodium.so.26", "libsodium.so"};

void* open_libsodium() {
  for (const char* name : library_names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

template <class Function>
Function symbol(void* library, const char* name) {
  void* address = dlsym(library, name);
  if (address == nullptr) give_up(name);
  return reinterpret_cast<Function>(address);
}

}  // namespace

std::vector<subject> libsodium() {
  void* library = open_libsodium();
  if (library == nullptr) {
    std::fprintf(stderr, "bench: libsodium is not installed: it is left out\n");
    return {};
  }
  const auto initialize = symbol<int (*)()>(library, "sodium_init");
  return {{.name = "libsodium",
           .prepare =
               [initialize] {
                 if (initialize() < 0) give_up("sodium_init");
               },
           .allocate = symbol<void* (*)(std::size_t)>(library, "sodium_malloc"),
           .deallocate = symbol<void (*)(void*)>(library, "sodium_free"),
           .noaccess = symbol<int (*)(void*)>(library, "sodium_mprotect_noaccess"),
           .readwrite = symbol<int (*)(void*)>(library, "sodium_mprotect_readwrite")}};
}

subject lockfast_with(std::string name, const lockfast_options& options) {
  return {.name = std::move(name),
          .prepare =
              [options] {
                if (lockfast_configure(&options) != 0) give_up("lockfast_configure");
              },
          .allocate = lockfast_malloc_isolated,
          .deallocate = lockfast_free,
          .noaccess = [](void* secret) { return lockfast_protect(secret, LOCKFAST_NOACCESS); },
          .readwrite = [](void* secret) { return lockfast_protect(secret, LOCKFAST_READWRITE); }};
}

std::vector<subject> allocators() {
  std::vector<subject> all = libsodium();
  lockfast_options options{};
  options.freed = LOCKFAST_FREED_TRAP;
  all.push_back(lockfast_with("lockfast freed=trap", options));
  options.freed = LOCKFAST_FREED_RECYCLE;
  all.push_back(lockfast_with("lockfast freed=recycle", options));
  return all;
}

void give_up(const char* what) {
  std::fprintf(stderr, "bench: %s: %s\n", what, std::strerror(errno));
  _exit(1);
}

}  // namespace lockfast::bench
