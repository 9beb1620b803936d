// loading_test.cc - a library that comes while the program runs serves every thread, and stays when it is closed.
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "loading/library.h"
#include "loading/plug_in.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

#define FIND(from, name) (from).find<decltype(name)>(#name)

// Started before the library is there; does what it is told to by then.
class waiting_thread {
 public:
  void work(auto body) {
    {
      const std::lock_guard held(mutex_);
      body_ = body;
    }
    told_.notify_one();
    thread_.join();
  }

 private:
  void run() {
    std::unique_lock held(mutex_);
    told_.wait(held, [this] { return static_cast<bool>(body_); });
    body_();
  }

  std::mutex mutex_;
  std::condition_variable told_;
  std::function<void()> body_;
  std::thread thread_{[this] { run(); }};
};

void use(decltype(lockfast_malloc)* allocate, decltype(lockfast_free)* deallocate) {
  for (const std::size_t size : {std::size_t{32}, std::size_t{100}, std::size_t{20000}}) {
    auto* const secret = static_cast<unsigned char*>(allocate(size));
    promised(secret != nullptr, "a secret");
    for (std::size_t at = 0; at < size; ++at) promised(secret[at] == 0, "zeros");
    secret[0] = secret[size - 1] = 1;
    deallocate(secret);
  }
}

void used_by_every_thread() {
  waiting_thread earlier;
  const library later(LOCKFAST_LIBRARY);
  auto* const allocate = FIND(later, lockfast_malloc);
  auto* const deallocate = FIND(later, lockfast_free);
  auto* const describe = FIND(later, lockfast_describe);
  const auto both = [&] { use(allocate, deallocate); };
  both();
  earlier.work(both);
  std::thread(both).join();
  lockfast_receipt receipt;
  void* const secret = allocate(32);
  promised(describe(secret, &receipt) == 0 && receipt.size == 32, "a receipt");
}

void closed_and_opened_again() {
  unsigned char* secret = nullptr;
  {
    const library later(LOCKFAST_LIBRARY);
    secret = static_cast<unsigned char*>(FIND(later, lockfast_malloc)(32));
    prove(secret != nullptr, "a secret");
    secret[31] = 7;
    later.close();
  }
  promised(secret[31] == 7, "a secret outlives its library's end");
  const library again(LOCKFAST_LIBRARY);
  promised(FIND(again, lockfast_check)(secret) == 0, "the library knows it as before");
  auto* const allocate = FIND(again, lockfast_malloc);
  auto* const deallocate = FIND(again, lockfast_free);
  deallocate(secret);
  again.close();
  // What the system was told to call is still there when a thread ends that used it.
  std::thread([&] { use(allocate, deallocate); }).join();
}

void ended_behind_a_plug_in() {
  std::mutex closed;
  std::unique_lock open(closed);
  std::thread user;
  {
    const library plug_in(PLUG_IN);
    auto* const use_it = FIND(plug_in, use_a_secret);
    std::atomic<bool> used = false;
    user = std::thread([&closed, &used, use_it] {
      promised(use_it() == 0, "a secret");
      used = true;
      const std::lock_guard wait(closed);
    });
    while (!used) std::this_thread::yield();
    plug_in.close();
  }
  open.unlock();
  user.join();
}

void the_drop_in() {
  const library later(SODIUM_LIBRARY);
  auto* const secret = static_cast<unsigned char*>(FIND(later, sodium_malloc)(32));
  promised(secret != nullptr && secret[0] == 0xdb, "a block");
  promised(traps_on_read(secret + 32), "the byte behind it traps");
  promised(FIND(later, sodium_mprotect_noaccess)(secret) == 0 && traps_on_read(secret), "a closed block traps");
  FIND(later, sodium_free)(secret);
}

const scenario by_every_thread("used by every thread", used_by_every_thread);
const scenario opened_again("closed and opened again", closed_and_opened_again);
const scenario plugged("ended behind a plug-in", ended_behind_a_plug_in);
const scenario by_name("the drop-in", the_drop_in);

void check(const scenario& one) {
  const ending end = one.run();
  INFO(end.text);
  CHECK(end.clean());
}

}  // namespace

TEST_CASE("a library that is loaded later serves the threads that there are, and those that come") { check(by_every_thread); }

TEST_CASE("a library that is closed stays, and its secrets with it") { check(opened_again); }

TEST_CASE("a library that has the static one in it stays too, and a thread that used it ends in peace") { check(plugged); }

TEST_CASE("the drop-in may be loaded later too") { check(by_name); }

TEST_CASE("notice=stderr tells once what blocks of the drop-in did not get, and by default nothing is told") {
  const auto close_beside_open_ones = [](const char* options) {
    prove(set_variable("LOCKFAST_OPTIONS", options), "the variable");
    const library later(SODIUM_LIBRARY);
    void* const first = FIND(later, sodium_malloc)(48);
    void* const second = FIND(later, sodium_malloc)(48);
    prove(first != nullptr && second != nullptr, "two blocks of one page");
    for (int round = 0; round < 3; ++round) {
      promised(FIND(later, sodium_mprotect_noaccess)(first) == 0, "closed");
      promised(FIND(later, sodium_mprotect_readwrite)(first) == 0, "opened");
    }
    lockfast_receipt receipt = {};
    promised(FIND(later, sodium_mprotect_noaccess)(first) == 0, "closed again");
    promised(FIND(later, lockfast_describe)(first, &receipt) == 0 && receipt.access_error == EBUSY, "not in force");
  };
  const ending silent = in_child([=] { close_beside_open_ones("placement=grouped"); });
  CHECK(silent.clean());
  CHECK(silent.text.empty());
  const ending told = in_child([=] { close_beside_open_ones("placement=grouped,notice=stderr"); });
  INFO(told.text);
  CHECK(told.clean());
  const std::string line = "lockfast: notice: a closed secret shares a page with one that is more open (errno ";
  const std::size_t at = told.text.find(line);
  CHECK(at != std::string::npos);
  CHECK(told.text.find(line, at + 1) == std::string::npos);
}
