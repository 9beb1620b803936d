// sodium_by_name.cc - dlsym: a program that looks libsodium's functions up by name gets those of this library.
//
//    program, interpreter --dlsym(libsodium, "sodium_malloc")--> here --> sodium_malloc of this library
//                         --dlsym(anything else)---------------> here --> the system's dlsym, by a jump
//
// A lookup in a library's handle begins with that library, so it finds libsodium's function whatever was preloaded. But
// libsodium's own calls go to what was preloaded: its sodium_allocarray then returns a block of this library, which its
// sodium_free cannot take. So whoever asks libsodium for one of these names gets this library's function.
//
// Invariant: the system's dlsym sees its caller's return address, by which it tells what RTLD_NEXT and RTLD_DEFAULT mean. So this
// file is always compiled with optimization, which makes the last call a jump.
//
// Threads: everything, from any thread.
#include <dlfcn.h>
#include <lockfast/sodium.h>

#include <atomic>
#include <cstring>

#include "platform/errno_saver.h"
#include "platform/platform.h"

namespace {

using lookup = void*(void*, const char*);

constinit std::atomic<lookup*> known_lookup = nullptr;

// The system's, or that of a library which was preloaded after this one. Its version differs by processor; the first is the
// oldest of x86-64.
[[gnu::cold, gnu::noinline]] lookup* find_lookup() {
  const lockfast::platform::errno_saver kept;
  for (const char* const version : {"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34", "GLIBC_2.0", "GLIBC_2.1", "GLIBC_2.2",
                                    "GLIBC_2.3", "GLIBC_2.4", "GLIBC_2.27", "GLIBC_2.35", "GLIBC_2.36"}) {
    void* const found = dlvsym(RTLD_NEXT, "dlsym", version);
    if (found == nullptr) continue;
    auto* const usable = reinterpret_cast<lookup*>(found);
    known_lookup.store(usable, std::memory_order_release);
    return usable;
  }
  lockfast::platform::terminate();
}

// This library's definition of a name; null where it has none.
void* own_definition(const char* name) {
  struct entry {
    const char* name;
    void* address;
  };
  const entry entries[] = {
      {"sodium_malloc", reinterpret_cast<void*>(sodium_malloc)},
      {"sodium_allocarray", reinterpret_cast<void*>(sodium_allocarray)},
      {"sodium_free", reinterpret_cast<void*>(sodium_free)},
      {"sodium_mprotect_noaccess", reinterpret_cast<void*>(sodium_mprotect_noaccess)},
      {"sodium_mprotect_readonly", reinterpret_cast<void*>(sodium_mprotect_readonly)},
      {"sodium_mprotect_readwrite", reinterpret_cast<void*>(sodium_mprotect_readwrite)},
      {"sodium_mlock", reinterpret_cast<void*>(sodium_mlock)},
      {"sodium_munlock", reinterpret_cast<void*>(sodium_munlock)},
      {"sodium_memzero", reinterpret_cast<void*>(sodium_memzero)},
      {"sodium_memcmp", reinterpret_cast<void*>(sodium_memcmp)},
      {"sodium_stackzero", reinterpret_cast<void*>(sodium_stackzero)},
  };
  for (const entry& one : entries) {
    if (std::strcmp(one.name, name) == 0) return one.address;
  }
  return nullptr;
}

// Whether a function is libsodium's, as a system or a package of some language installs it: libsodium.so.23, say, or
// libsodium-0a1b2c3d.so.23. A library that has a copy of libsodium within, under a name of its own, keeps that.
bool is_of_libsodium(const void* function) {
  Dl_info found;
  if (dladdr(function, &found) == 0 || found.dli_fname == nullptr) return false;
  const char* const slash = std::strrchr(found.dli_fname, '/');
  const char* const file = slash == nullptr ? found.dli_fname : slash + 1;
  constexpr char stem[] = "libsodium";
  constexpr std::size_t length = sizeof stem - 1;
  return std::strncmp(file, stem, length) == 0 && (file[length] == '.' || file[length] == '-');
}

[[gnu::cold, gnu::noinline]] void* look_up_sodium(lookup* with, void* handle, const char* name) {
  void* const found = with(handle, name);
  void* const own = found == nullptr ? nullptr : own_definition(name);
  return own != nullptr && is_of_libsodium(found) ? own : found;
}

// Most lookups are for other names: no call is made to find that out.
bool is_sodium(const char* name) {
  for (const char* prefix = "sodium_"; *prefix != 0; ++prefix, ++name) {
    if (*name != *prefix) return false;
  }
  return true;
}

}  // namespace

extern "C" LOCKFAST_API void* dlsym(void* __restrict handle, const char* __restrict name) noexcept {
  lookup* with = known_lookup.load(std::memory_order_acquire);
  if (with == nullptr) with = find_lookup();
  if (is_sodium(name)) return look_up_sodium(with, handle, name);
  return with(handle, name);
}
