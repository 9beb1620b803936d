// bare_pages.h - the least that the promise of an isolated secret needs: bare system calls, one secret at a time.
//
// A secret of a page or less ends where its page ends; a guard page lies before and after each page. Nothing is looked for, counted
// or verified.
#ifndef LOCKFAST_BENCH_BARE_PAGES_H
#define LOCKFAST_BENCH_BARE_PAGES_H

#include <cstddef>

#include "bench/subject.h"

namespace lockfast::bench {

// The most secrets that a thread has live.
inline constexpr std::size_t bare_count = 15'000;

// In pages that mlock2 holds in RAM, and in pages of memfd_secret.
[[nodiscard]] subject bare_locked();
[[nodiscard]] subject bare_hidden();

[[nodiscard]] bool has_hidden_memory();

// The page that a secret of so many bytes ends with.
[[nodiscard]] std::byte* page_of(void* secret, std::size_t size);
[[nodiscard]] std::size_t page();

// Hidden pages that a forked child shares until it moves them; each is resident.
[[nodiscard]] std::byte* map_hidden(std::size_t page_count);

}  // namespace lockfast::bench

#endif
