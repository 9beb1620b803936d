// rest_probe.h - something at rest that gives a test its moment: in a round of the refresher, and in the middle of a fork.
#ifndef LOCKFAST_TESTS_BOOJUM_REST_PROBE_H
#define LOCKFAST_TESTS_BOOJUM_REST_PROBE_H

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "boojum/memory/refresher.h"

namespace lockfast::internal {

struct rest_probe final : refreshable {
  std::function<void()> in_round = [] {};
  std::function<void()> in_fork = [] {};  // while the mutex of the rounds is held, and those of what joined before

  void round() override { in_round(); }
  [[nodiscard]] std::mutex* held_over_fork() override {
    in_fork();
    return nullptr;
  }

  // Whoever joins afterwards is visited after it, and held by the refresher meanwhile.
  [[nodiscard]] static std::shared_ptr<rest_probe> join(std::function<void()> in_round, std::function<void()> in_fork) {
    auto one = std::make_shared<rest_probe>();
    one->in_round = std::move(in_round);
    one->in_fork = std::move(in_fork);
    return join_refresher(one) ? one : nullptr;
  }
};

// What one thread waits for until another says so.
class signal_once {
 public:
  void give() { given_ = true; }
  [[nodiscard]] bool given() const { return given_; }
  void wait() const {
    while (!given_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  std::atomic<bool> given_ = false;
};

}  // namespace lockfast::internal

#endif
