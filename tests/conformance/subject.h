// subject.h - the library under test, by the names that Lockfast and libsodium share, and where the two differ by choice.
//
// Neither library's <sodium.h> is included, so that the same objects are linked with either. What only one of them has is
// a weak reference: null in a program that is linked with the other.
#ifndef LOCKFAST_TESTS_CONFORMANCE_SUBJECT_H
#define LOCKFAST_TESTS_CONFORMANCE_SUBJECT_H

#include <lockfast/lockfast.h>

#include <cstddef>

extern "C" {
void* sodium_malloc(std::size_t size);
void* sodium_allocarray(std::size_t count, std::size_t size);
void sodium_free(void* secret);
int sodium_mprotect_noaccess(void* secret);
int sodium_mprotect_readonly(void* secret);
int sodium_mprotect_readwrite(void* secret);
int sodium_mlock(void* address, std::size_t length);
int sodium_munlock(void* address, std::size_t length);
void sodium_memzero(void* address, std::size_t length);
int sodium_memcmp(const void* a, const void* b, std::size_t length);
void sodium_stackzero(std::size_t length);

[[gnu::weak]] int sodium_init();
[[gnu::weak]] int sodium_set_misuse_handler(void (*handler)());
}

#pragma weak lockfast_get_statistics
#pragma weak lockfast_describe
#pragma weak lockfast_protect
#pragma weak lockfast_check
#pragma weak lockfast_audit
#pragma weak lockfast_realloc
#pragma weak lockfast_wipe_all

// What Lockfast promises and libsodium 1.0.18 does not; the reasons are in subject.cc.
enum class promise {
  malloc_before_init,
  one_errno_for_sizes,
  errno_untouched,
  unaligned_undumpable,
  neighbours_stay_locked,
  locks_all_or_nothing,
  length_within_address_space,
  locked_again_after_fork,
  whole_or_refused,
  thirty_thousand,
};

bool subject_is_lockfast();

// Whether the subject keeps a promise of the list above; says why not on the test's output.
bool kept(promise which);

// Whether a freed block is to trap: always, but under Lockfast's freed=recycle and placement=grouped.
bool freed_blocks_trap();

// Whether blocks have pages of their own: always, but under Lockfast's placement=grouped, where those up to 16 KiB share them.
bool blocks_are_isolated();

// The same; says on the test's output what is not asked of blocks that share pages.
bool asked_of_placement(const char* what);

// Starts libsodium, which serves nothing before that; returns whether this was the first start. Lockfast needs none.
bool start_subject();

#endif
