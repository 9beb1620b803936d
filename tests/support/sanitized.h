// sanitized.h - which sanitizer the tests run under: each keeps memory, stacks or threads in its own way.
#ifndef LOCKFAST_TESTS_SUPPORT_SANITIZED_H
#define LOCKFAST_TESTS_SUPPORT_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOCKFAST_UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define LOCKFAST_UNDER_ASAN 1
#elif __has_feature(memory_sanitizer)
#define LOCKFAST_UNDER_MSAN 1
#endif
#endif

#if defined(LOCKFAST_UNDER_TSAN)
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif
#if defined(LOCKFAST_UNDER_ASAN)
inline constexpr bool under_asan = true;
#else
inline constexpr bool under_asan = false;
#endif
#if defined(LOCKFAST_UNDER_MSAN)
inline constexpr bool under_msan = true;
#else
inline constexpr bool under_msan = false;
#endif
inline constexpr bool sanitized = under_tsan || under_asan || under_msan;

// Whether the objects count their lines (scripts/coverage). The counters take registers, and the compiler spills others.
#if defined(__clang__) && defined(__ELF__)
extern "C" [[gnu::weak, gnu::visibility("hidden")]] int __llvm_profile_runtime;
inline bool counts_lines() { return &__llvm_profile_runtime != nullptr; }
#else
inline bool counts_lines() { return false; }
#endif

#endif
