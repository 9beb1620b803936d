// subject.cc - the list of what Lockfast does otherwise than libsodium, each by choice.
#include "subject.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

const char* reason(promise which) {
  switch (which) {
    case promise::malloc_before_init: return "libsodium aborts; a start that needs no order is one mistake less";
    case promise::one_errno_for_sizes: return "libsodium's total wraps to 0, and mmap then says EINVAL; a size is ENOMEM";
    case promise::errno_untouched: return "libsodium leaves the errno of the lock that failed, though the call succeeds";
    case promise::unaligned_undumpable: return "libsodium's madvise fails unseen, and the secret is in the core dump";
    case promise::neighbours_stay_locked: return "libsodium unlocks whole pages, with the secrets of others on them";
    case promise::locks_all_or_nothing: return "libsodium leaves the pages locked that came before the failing one";
    case promise::length_within_address_space: return "libsodium's length wraps to 0, and nothing is locked by success";
    case promise::locked_again_after_fork: return "libsodium leaves the child's copy unlocked";
    case promise::whole_or_refused: return "libsodium ignores the failing guard page at the map limit";
    case promise::thirty_thousand: return "libsodium needs four maps for a block, and stops at 16,377";
  }
  return "";
}

// Whether LOCKFAST_OPTIONS has this; it is nothing to libsodium.
bool chosen(const char* option) {
  const char* options = std::getenv("LOCKFAST_OPTIONS");
  return subject_is_lockfast() && options != nullptr && std::strstr(options, option) != nullptr;
}

}  // namespace

bool subject_is_lockfast() { return lockfast_get_statistics != nullptr; }

bool kept(promise which) {
  if (!subject_is_lockfast()) MESSAGE("not asked of libsodium: ", std::string(reason(which)));
  return subject_is_lockfast();
}

bool freed_blocks_trap() { return !chosen("freed=recycle") && blocks_are_isolated(); }

bool blocks_are_isolated() { return !chosen("placement=grouped"); }

bool asked_of_placement(const char* what) {
  if (!blocks_are_isolated()) MESSAGE("not asked of placement=grouped: ", std::string(what));
  return blocks_are_isolated();
}

bool start_subject() { return sodium_init == nullptr || sodium_init() == 0; }
