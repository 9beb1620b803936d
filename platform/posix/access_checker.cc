// access_checker.cc - AddressSanitizer's run-time library is there when the program has its functions; valgrind answers an instruction
// that does nothing elsewhere.
#include "platform/access_checker.h"

#if defined(__APPLE__)
#include <dlfcn.h>
#endif
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

extern "C" {
// The interface of compiler-rt and of gcc's libsanitizer, sanitizer/asan_interface.h. Undefined in other programs, and null.
[[gnu::weak, gnu::visibility("default")]] void __asan_poison_memory_region(const volatile void* address, std::size_t size);
[[gnu::weak, gnu::visibility("default")]] void __asan_unpoison_memory_region(const volatile void* address, std::size_t size);
[[gnu::weak, gnu::visibility("default")]] int __asan_address_is_poisoned(const volatile void* address);
}

namespace lockfast::platform {
namespace {

struct address_sanitizer {
  decltype(&__asan_poison_memory_region) poison;
  decltype(&__asan_unpoison_memory_region) unpoison;
  decltype(&__asan_address_is_poisoned) is_poisoned;
};
constinit address_sanitizer sanitizer = {};
constinit bool under_memcheck = false;

address_sanitizer find_sanitizer() {
#if defined(__APPLE__)
  // The linker of macOS wants a definition for a weak function too.
  return {reinterpret_cast<decltype(address_sanitizer::poison)>(dlsym(RTLD_DEFAULT, "__asan_poison_memory_region")),
          reinterpret_cast<decltype(address_sanitizer::unpoison)>(dlsym(RTLD_DEFAULT, "__asan_unpoison_memory_region")),
          reinterpret_cast<decltype(address_sanitizer::is_poisoned)>(dlsym(RTLD_DEFAULT, "__asan_address_is_poisoned"))};
#else
  return {&__asan_poison_memory_region, &__asan_unpoison_memory_region, &__asan_address_is_poisoned};
#endif
}

// The program can ask it to take no notice (ASAN_OPTIONS=allow_user_poisoning=0), which shows in what it does.
bool takes_notice(const address_sanitizer& of) {
  if (of.poison == nullptr || of.unpoison == nullptr || of.is_poisoned == nullptr) return false;
  alignas(8) static std::byte probe[8];
  of.poison(probe, sizeof probe);
  const bool noticed = of.is_poisoned(probe) != 0;
  of.unpoison(probe, sizeof probe);
  return noticed;
}

}  // namespace

constinit std::atomic<bool> checker::found = false;

void find_access_checker() {
  if (const auto one = find_sanitizer(); takes_notice(one)) sanitizer = one;
#if defined(RUNNING_ON_VALGRIND)
  // Another of valgrind's tools answers no question of memcheck's.
  std::byte probe{};
  under_memcheck = RUNNING_ON_VALGRIND != 0 && VALGRIND_MAKE_MEM_DEFINED(&probe, sizeof probe) != 0;
#endif
  checker::found.store(sanitizer.poison != nullptr || under_memcheck, std::memory_order_relaxed);
}

void checker::forbid(const std::byte* address, std::size_t size) {
  if (sanitizer.poison != nullptr) sanitizer.poison(address, size);
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_MAKE_MEM_NOACCESS(address, size);
#endif
}

void checker::permit(const std::byte* address, std::size_t size) {
  if (sanitizer.unpoison != nullptr) sanitizer.unpoison(address, size);
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_MAKE_MEM_DEFINED(address, size);
#endif
}

// AddressSanitizer keeps no record of blocks that are not its own.
void checker::name_secret([[maybe_unused]] const std::byte* secret, [[maybe_unused]] std::size_t size) {
#if defined(RUNNING_ON_VALGRIND)
  constexpr int written = 1;
  if (under_memcheck) VALGRIND_MALLOCLIKE_BLOCK(secret, size, 0, written);
#endif
}

void checker::rename_secret([[maybe_unused]] const std::byte* secret, [[maybe_unused]] std::size_t before,
                            [[maybe_unused]] std::size_t size) {
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_RESIZEINPLACE_BLOCK(secret, before, size, 0);
#endif
}

void checker::forget_secret([[maybe_unused]] const std::byte* secret) {
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_FREELIKE_BLOCK(secret, 0);
#endif
}

void checker::pause() {
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

void checker::resume() {
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

// A word of which some bytes are forbidden is read as if it was never written.
void checker::define([[maybe_unused]] bool& verdict) {
#if defined(RUNNING_ON_VALGRIND)
  if (under_memcheck) VALGRIND_MAKE_MEM_DEFINED(&verdict, sizeof verdict);
#endif
}

}  // namespace lockfast::platform
