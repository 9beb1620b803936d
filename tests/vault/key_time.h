// key_time.h - when a vault's key was made, for tests of a re-key that is due.
#ifndef LOCKFAST_TESTS_VAULT_KEY_TIME_H
#define LOCKFAST_TESTS_VAULT_KEY_TIME_H

#include <chrono>

// Whether the oldest key of a vault, or of a vault_state, is from before that time. A re-key shows by it however slow the machine is,
// which it does not by an age alone.
template <class Vault>
bool key_made_before(const Vault& records, std::chrono::steady_clock::time_point when) {
  using clock = std::chrono::steady_clock;
  for (;;) {
    const auto begin = clock::now();
    const auto age = records.key_age();
    const auto end = clock::now();
    // One that was stalled between them says too little.
    if (end - begin < std::chrono::milliseconds(100)) return end - age < when;
  }
}

#endif
