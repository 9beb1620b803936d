// progress_bar.h - how far work has come that takes more than a second, on the last line of a terminal.
//
// Threads: watcher() may be called on any; the object belongs to one.
#ifndef TOOLS_VAULT_PROGRESS_BAR_H
#define TOOLS_VAULT_PROGRESS_BAR_H

#include <lockfast/vault.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace lockfast::tools {

class progress_bar {
 public:
  // Shows nothing where standard error is no terminal, or a dumb one. what: "loading", say.
  explicit progress_bar(const char* what);
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  // Takes the line away.
  ~progress_bar();

  // To be told how many records are done; until then the passphrase is being stretched. Must not outlive this.
  vault::watcher watcher();

 private:
  void show(std::stop_token ended);
  [[nodiscard]] std::string line(double seconds) const;

  const char* what_;
  std::size_t width_ = 0;
  std::atomic<std::uint64_t> done_ = 0, all_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread shown_by_;
};

}  // namespace lockfast::tools

#endif
