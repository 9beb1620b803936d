// subject.cc - libsodium found at run time, peers opened beside the program, and Lockfast under a chosen policy.
#include "bench/subject.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "bench/peer.h"
#include "bench/process_memory.h"

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
  if (address == nullptr) give_up_loading();
  return reinterpret_cast<Function>(address);
}

// Says so once for each reason.
void leave_out(const std::string& reason) {
  static std::set<std::string> said;
  if (said.insert(reason).second) std::fprintf(stderr, "bench: %s: it is left out\n", reason.c_str());
}

struct peer_name {
  const char* shown;
  const char* module;
  promise promises;
};

constexpr peer_name mimalloc{"mimalloc + explicit_bzero", "mimalloc_peer.so", promise::nothing};
constexpr peer_name secret_allocators[] = {{"libgcrypt", "libgcrypt_peer.so", promise::locked},
                                           {"Botan", "botan_peer.so", promise::locked},
                                           {"OpenSSL", "openssl_peer.so", promise::locked}};

void add_peer(std::vector<subject>& all, const peer_name& name, std::size_t pool_size) {
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe").replace_filename(name.module);
  if (!std::filesystem::exists(path)) {
    leave_out(std::string(name.module) + " was not built");
    return;
  }
  subject& added = all.emplace_back();
  added.name = name.shown;
  added.promises = name.promises;
  added.load = [path, pool_size](subject& self) {
    void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) give_up_loading();
    const auto* const exported = symbol<const peer*>(module, "lockfast_bench_peer");
    self.prepare = [exported, pool_size] {
      if (!exported->prepare(pool_size)) give_up("a peer's pool");
    };
    self.allocate = exported->allocate;
    self.deallocate = exported->deallocate;
  };
}

subject glibc() {
  return {.name = "glibc + explicit_bzero",
          .prepare = [] {},
          .allocate = std::malloc,
          .deallocate =
              [](void* secret, std::size_t size) {
                explicit_bzero(secret, size);
                std::free(secret);
              },
          .promises = promise::nothing};
}

lockfast_options with_freed(lockfast_freed freed) {
  lockfast_options options{};
  options.freed = freed;
  return options;
}

subject lockfast_malloc_with(std::string name, const lockfast_options& options) {
  subject added = lockfast_with(std::move(name), options);
  added.allocate = lockfast_malloc;
  return added;
}

// Where a program that wipes keeps the one secret that it has: nothing is asked of an allocator.
void* bytes_of_thread(std::size_t /*size*/) {
  constexpr std::size_t longest = 64 << 10;
  thread_local unsigned char bytes[longest];
  return bytes;
}

}  // namespace

void start(subject& of) {
  of.load(of);
  of.prepare();
}

std::vector<subject> libsodium() {
  void* library = open_libsodium();
  if (library == nullptr) {
    leave_out("libsodium is not installed");
    return {};
  }
  const auto initialize = symbol<int (*)()>(library, "sodium_init");
  static const auto release = symbol<void (*)(void*)>(library, "sodium_free");
  return {{.name = "libsodium",
           .prepare =
               [initialize] {
                 if (initialize() < 0) give_up("sodium_init");
               },
           .allocate = symbol<void* (*)(std::size_t)>(library, "sodium_malloc"),
           .deallocate = [](void* secret, std::size_t /*size*/) { release(secret); },
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
          .deallocate = [](void* secret, std::size_t /*size*/) { lockfast_free(secret); },
          .noaccess = [](void* secret) { return lockfast_protect(secret, LOCKFAST_NOACCESS); },
          .readwrite = [](void* secret) { return lockfast_protect(secret, LOCKFAST_READWRITE); },
          .is = role::lockfast};
}

std::vector<subject> isolated_allocators() {
  std::vector<subject> all = libsodium();
  all.push_back(lockfast_with("lockfast freed=trap", with_freed(LOCKFAST_FREED_TRAP)));
  all.push_back(lockfast_with("lockfast freed=recycle", with_freed(LOCKFAST_FREED_RECYCLE)));
  return all;
}

std::vector<subject> grouped_allocators(std::size_t pool_size) {
  std::vector<subject> all{lockfast_malloc_with("lockfast freed=trap", with_freed(LOCKFAST_FREED_TRAP)),
                           lockfast_malloc_with("lockfast freed=recycle", with_freed(LOCKFAST_FREED_RECYCLE))};
  add_peer(all, mimalloc, pool_size);
  all.push_back(glibc());
  for (const peer_name& each : secret_allocators) add_peer(all, each, pool_size);
  for (subject& each : libsodium()) all.push_back(std::move(each));
  return all;
}

subject loop_alone() {
  return {.name = "the loop alone",
          .prepare = [] {},
          .allocate = bytes_of_thread,
          .deallocate = [](void* /*secret*/, std::size_t /*size*/) {},
          .promises = promise::nothing,
          .is = role::loop};
}

subject wipe_alone() {
  subject added = loop_alone();
  added.name = "explicit_bzero alone";
  added.deallocate = [](void* secret, std::size_t size) { explicit_bzero(secret, size); };
  return added;
}

bool serves(const subject& of, std::size_t size) {
  void* const secret = of.allocate(size);
  if (secret == nullptr) return false;
  touch(secret, size);
  const bool kept = of.promises == promise::nothing || locked_maps().hold(secret, size);
  of.deallocate(secret, size);
  return kept;
}

void give_up_loading() {
  const char* const reason = dlerror();
  std::fprintf(stderr, "bench: %s\n", reason != nullptr ? reason : "a library could not be loaded");
  _exit(1);
}

void give_up(const char* what) {
  std::fprintf(stderr, "bench: %s: %s\n", what, std::strerror(errno));
  _exit(1);
}

}  // namespace lockfast::bench
