// save_history.h - what a vault knows of its files: which of them it loaded or saved last, and at what cost.
//
// A file is known by its nonce, which is drawn for each save. A save may take the place of a known file alone: what somebody else
// has saved there since would be lost.
//
// Threads: everything from any thread, but lock() and unlock(), which are for fork.
#ifndef LOCKFAST_BOOJUM_VAULT_SAVE_HISTORY_H
#define LOCKFAST_BOOJUM_VAULT_SAVE_HISTORY_H

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "boojum/vault/header.h"

namespace lockfast::internal {

class save_history {
 public:
  // Whether a file with this nonce is the latest that was loaded from a path, or saved there.
  [[nodiscard]] bool knows(const file_nonce& once) const {
    const std::scoped_lock held(mutex_);
    return std::ranges::any_of(latest_, [&](const auto& of_path) {
      return std::ranges::find(of_path.second.nonces, once) != of_path.second.nonces.end();
    });
  }

  // A save to a path is about to be done, and may be done though it is refused.
  void expect(const std::string& path, const file_nonce& once) {
    const std::scoped_lock held(mutex_);
    latest_[path].nonces.push_back(once);
  }

  // The latest of a path is this one, loaded or saved at this cost.
  void settle(const std::string& path, const file_nonce& once, const stretching& cost) {
    const std::scoped_lock held(mutex_);
    latest_[path].nonces.assign(1, once);
    cost_ = cost;
  }

  // Of the latest; a cost of 0 where there is none.
  [[nodiscard]] stretching cost() const {
    const std::scoped_lock held(mutex_);
    return cost_;
  }

  void lock() const { mutex_.lock(); }
  void unlock() const { mutex_.unlock(); }

 private:
  mutable std::mutex mutex_;
  // One, and those that may have been saved since. A type of ours, so that the map's functions are not exported.
  struct known_files {
    std::vector<file_nonce> nonces;
  };
  std::map<std::string, known_files> latest_;  // by path
  stretching cost_;
};

}  // namespace lockfast::internal

#endif
