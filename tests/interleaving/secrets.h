// secrets.h - what the scenarios say of secrets: contents that can be told from one another, and the book of those that live.
//
// Threads: one at a time: the thread that has the baton, or, before and after the threads run, the one that prepares and
// verifies.
#ifndef LOCKFAST_TESTS_INTERLEAVING_SECRETS_H
#define LOCKFAST_TESTS_INTERLEAVING_SECRETS_H

#include <lockfast/lockfast.h>

#include <cstddef>

namespace lockfast::interleaving {

// Leaves the process if it does not hold.
void require(bool holds, const char* what);

// From here on no page of a secret in the book may be unlocked or released; prepare() of a scenario calls it.
void watch_unlocks();

void write_into(void* secret, std::size_t size, std::size_t which);
void require_contents(const void* secret, std::size_t size, std::size_t which);
void require_wiped(const void* secret, std::size_t size);

// Allocates, writes, and puts into the book: isolated, or grouped.
[[nodiscard]] void* make_isolated(std::size_t size, std::size_t which);
[[nodiscard]] void* make_grouped(std::size_t size, std::size_t which);
// Takes it out of the book, after its contents were verified, and frees it.
void free_whole(void* secret, std::size_t size, std::size_t which);
// Takes it out of the book, since it is about to be freed, moved or sealed.
void leave_book(const void* secret);

// What the host lets threads do with the secret's first page is what was asked for.
void require_access(const void* secret, enum lockfast_access access);
// Opens an isolated secret that no other thread opens or closes, verifies its contents, and closes it.
void open_and_close(void* secret, std::size_t size, std::size_t which);
void close(void* secret);

// So many secrets live; their canaries are whole; each count agrees with the others and with the host.
void require_counts(std::size_t live);

}  // namespace lockfast::interleaving

#endif
