// family.h - a parent's secrets, what its child is to find of them, and threads that are busy meanwhile.
#ifndef LOCKFAST_TESTS_THREAT_FAMILY_H
#define LOCKFAST_TESTS_THREAT_FAMILY_H

#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "account.h"
#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/reach.h"

inline void leave_as(pid_t child) {
  int state = 0;
  prove(waitpid(child, &state, 0) == child, "its end");
  promised(WIFEXITED(state) && WEXITSTATUS(state) == 0, "what the child was to find");
}

inline bool all_zero(const unsigned char* bytes) {
  unsigned any = 0;
  for (std::size_t at = 0; at < mark_size; ++at) any |= bytes[at];
  return any == 0;
}

inline void own_secrets_work() {
  for (int count = 0; count < 20; ++count) {
    auto* const alone = static_cast<unsigned char*>(lockfast_malloc_isolated(48));
    auto* const beside = static_cast<unsigned char*>(lockfast_malloc(48));
    promised(alone != nullptr && beside != nullptr, "secrets of the child's own");
    std::memset(alone, 'c', 48);
    std::memset(beside, 'c', 48);
    lockfast_free(alone);
    lockfast_free(beside);
  }
}

// Whether a closed secret is closed. Without a key another thread's trim or audit opens a compartment for as long as it lasts.
inline bool comes_to_rest(const void* secret) {
  for (int tries = 0; tries < 1000; ++tries) {
    if (!readable_here(secret)) return true;
    std::this_thread::yield();
  }
  return false;
}

// What the parent holds, and the marks that either side puts over it.
struct family {
  holding held{1};
  mark of_parent(unsigned kind) const { return {2, kind}; }
  mark of_child(unsigned kind) const { return {3, kind}; }

  // In the child of fork=inherit. The parent has written over its own since.
  void copied() const {
    for (const unsigned kind : open_secrets) promised(held.whole(kind), ("the child's copy: " + name_of(kind)).c_str());
    for (const unsigned kind : closed_secrets) promised(!readable_here(held.at[kind]), "closed, as in the parent");
    held.open_all();
    for (const unsigned kind : closed_secrets) promised(held.whole(kind), "the child's copy of a closed secret");
    for (const unsigned kind : live_secrets) {
      const std::string fault = untruth(held.at[kind]);
      promised(fault.empty(), fault.c_str());
      of_child(kind).write(held.at[kind]);
    }
    promised(lockfast_audit() == 0, "whole canaries");
    held.free_all();
    own_secrets_work();
  }

  void zeros() const {
    for (const unsigned kind : open_secrets) promised(all_zero(held.at[kind]), name_of(kind).c_str());
    for (const unsigned kind : closed_secrets) promised(!readable_here(held.at[kind]), "closed, as in the parent");
    promised(lockfast_audit() == 0, "whole canaries");
    held.open_all();
    for (const unsigned kind : live_secrets) {
      promised(all_zero(held.at[kind]), name_of(kind).c_str());
      of_child(kind).write(held.at[kind]);
    }
    held.free_all();
    own_secrets_work();
  }

  void nothing() const {
    for (const unsigned kind : live_secrets) {
      promised(!readable_here(held.at[kind]) && !writable_here(held.at[kind]), name_of(kind).c_str());
    }
    promised(lockfast_audit() == 0, "nothing is damaged");
    held.free_all();
    own_secrets_work();
  }

  void look(const std::string& policy) const {
    if (policy == "inherit") copied();
    if (policy == "wipe") zeros();
    if (policy == "absent") nothing();
  }

  // Forks, writes over the parent's own at once, and only then lets the child look; both must see their own.
  void part(const std::string& policy) const {
    int ends[2];
    prove(pipe(ends) == 0, "a pipe");
    const pid_t child = fork();
    prove(child >= 0, "a fork");
    if (child == 0) {
      close(ends[1]);
      char letter;
      (void)!read(ends[0], &letter, 1);
      look(policy);
      _exit(0);
    }
    for (const unsigned kind : open_secrets) of_parent(kind).write(held.at[kind]);
    close(ends[0]);
    close(ends[1]);
    leave_as(child);
    for (const unsigned kind : open_secrets) promised(of_parent(kind).stands_at(held.at[kind]), "the parent's own");
    for (const unsigned kind : closed_secrets) promised(comes_to_rest(held.at[kind]), "the parent's access");
    for (const unsigned kind : open_secrets) held.of(kind).write(held.at[kind]);
  }
};

// Threads that are always in some call or other.
class busy_threads {
 public:
  explicit busy_threads(int count) {
    for (int each = 0; each < count; ++each) threads_.emplace_back([this] { work(); });
  }
  ~busy_threads() {
    done_ = true;
    for (std::thread& each : threads_) each.join();
  }
  busy_threads(const busy_threads&) = delete;
  busy_threads& operator=(const busy_threads&) = delete;

 private:
  void work() const {
    while (!done_) {
      auto* const alone = static_cast<char*>(lockfast_malloc_isolated(100));
      auto* const beside = static_cast<char*>(lockfast_malloc(100));
      promised(alone != nullptr && beside != nullptr, "secrets of another thread");
      std::memset(alone, 'x', 100);
      std::memset(beside, 'x', 100);
      (void)lockfast_protect(alone, LOCKFAST_NOACCESS);
      (void)lockfast_check(alone);
      lockfast_free(alone);
      lockfast_free(beside);
    }
  }

  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

#endif
