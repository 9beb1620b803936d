// lifecycle.h - every type of secret from its making to its end.
#ifndef LOCKFAST_TESTS_SANDBOX_LIFECYCLE_H
#define LOCKFAST_TESTS_SANDBOX_LIFECYCLE_H

#include <filesystem>

// Of the C interface: isolated, grouped, compartments, claims, checks, trims; each keeps its promise in this process, or it leaves.
void live_in_c();
// The same but for lockfast_random, which has no way to refuse.
void live_without_drawing();
// The same of the C++ types, files in that directory: buffer, boxed, the locked memories, passphrase, vault.
void live_in_cxx(const std::filesystem::path& directory);
// A child that is forked while secrets live, and leaves again.
void live_over_a_fork();

#endif
