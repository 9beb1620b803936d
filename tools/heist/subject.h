// subject.h - who is attacked: ways to have memory for a secret.
#ifndef TOOLS_HEIST_SUBJECT_H
#define TOOLS_HEIST_SUBJECT_H

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/attacks/mark.h"

namespace lockfast::tools {

// An allocator, taken up in a child of its own before anything was allocated there.
class memory {
 public:
  virtual ~memory() = default;
  virtual void* allocate(std::size_t size) = 0;  // null if refused
  virtual void release(void* block) = 0;
  // Takes all access away. Does nothing where the allocator has no such thing.
  virtual void close(void*) {}
  // What holds the pages of a block: a word.
  virtual std::string backing(const void*) { return ""; }
};

struct subject {
  std::string name;   // for programs
  std::string title;  // for readers
  bool ours = true;
  bool at_rest = false;  // its secrets are closed as soon as they are written
  std::function<std::unique_ptr<memory>()> take_up;
  std::string backing = {};  // hidden, locked, unlocked, at rest; of libsodium its version
  std::string missing = {};  // why it cannot be attacked; empty if it can
};

// Ordinary memory first: it is the control of every attack. Each was tried in a child.
std::vector<subject> subjects();

inline constexpr std::size_t secret_size = 2 * attacks::mark_size;

// What every secret of ours holds, twice.
inline constexpr attacks::mark secret_bytes{7, 1};

// A new secret. Throws if it is refused.
void* new_secret(memory& from, const subject& of);

}  // namespace lockfast::tools

#endif
