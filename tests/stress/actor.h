// actor.h - a thread of a plan: its table of secrets and its compartments, and what each verb does to them.
//
// Threads: an actor belongs to one at a time; actors share the boxes and the claimed memory.
#ifndef LOCKFAST_TESTS_STRESS_ACTOR_H
#define LOCKFAST_TESTS_STRESS_ACTOR_H

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "stress/held_secret.h"
#include "stress/operation.h"
#include "stress/plan.h"

namespace lockfast::stress {

// What all actors share.
struct shared_things {
  explicit shared_things(const configuration& chosen);

  static constexpr std::size_t claimed_pages = 4;
  static constexpr std::size_t part_count = 64;  // of the claimed memory, in turn each thread's; several share a page

  const configuration& in;
  std::mutex mutex;                    // of the boxes
  std::array<held_secret, 16> boxes;   // secrets on their way from thread to thread
  std::uint8_t* claimed = nullptr;
  std::atomic<bool> claims_stay_locked = false;  // a page that was given up had no map left for itself, and stays locked
  [[nodiscard]] std::size_t part_size() const;
};

// Counts that the statistics must have.
struct tally {
  std::size_t isolated = 0, grouped = 0, hidden = 0, unlocked = 0, sealed = 0, bytes = 0, bytes_sealed = 0;
  std::size_t refusals = 0;

  void add(const held_secret& one);
  void add(const tally& other);
};

class actor {
 public:
  actor(shared_things& shared, std::size_t number, std::size_t place_count);

  void perform(const operation& one);
  // At a pause: verifies each secret, by the thread that has the compartments open.
  void verify();
  [[nodiscard]] tally counted() const;
  // The secrets whose pages the kernel is to be asked about.
  void for_each(const auto& act) const {
    for (const held_secret& one : secrets_) {
      if (!one.empty()) act(one);
    }
  }
  [[nodiscard]] std::size_t claimed_pages_of(std::array<bool, shared_things::claimed_pages>& claimed) const;
  void release_all();

 private:
  struct held_compartment {
    struct lockfast_compartment* handle = nullptr;
    lockfast_access access = LOCKFAST_READWRITE;
  };

  void fill(held_secret& place, const operation& one);
  void allocate_in(held_secret& place, const operation& one);
  void follow(const held_compartment& changed);
  void protect_compartment(held_compartment& which, lockfast_access to);
  void end_compartment(held_compartment& which);
  void claim(const operation& one);
  void unclaim(const operation& one);
  void count() const;
  void fork_and_verify();
  void act_in_child();

  shared_things& shared_;
  std::size_t number_;
  std::vector<held_secret> secrets_;
  std::array<held_compartment, 3> compartments_;
  std::array<bool, shared_things::part_count> claims_ = {};
  std::size_t refusals_ = 0;
};

}  // namespace lockfast::stress

#endif
