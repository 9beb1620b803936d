// loading_test.cc - a library that comes while the program runs serves every thread, and stays when it is closed.
#include <dlfcn.h>
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

#include "support/child.h"
#include "support/probe.h"

namespace {

// A library of which the functions are found by name.
class loaded {
 public:
  explicit loaded(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) say(dlerror());
    prove(handle_ != nullptr, "the library, loaded");
  }
  template <class Function>
  Function* find(const char* name) const {
    auto* const found = reinterpret_cast<Function*>(dlsym(handle_, name));
    prove(found != nullptr, name);
    return found;
  }
  void close() const { prove(dlclose(handle_) == 0, "dlclose"); }

 private:
  void* handle_;
};

#define FIND(library, name) (library).find<decltype(name)>(#name)

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
    for (std::size_t at = 0; at < size; ++at) promised(secret[at] == 0xdb, "filled");
    secret[0] = secret[size - 1] = 1;
    deallocate(secret);
  }
}

void used_by_every_thread() {
  waiting_thread earlier;
  const loaded library(LOCKFAST_LIBRARY);
  auto* const allocate = FIND(library, lockfast_malloc);
  auto* const deallocate = FIND(library, lockfast_free);
  auto* const describe = FIND(library, lockfast_describe);
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
    const loaded library(LOCKFAST_LIBRARY);
    secret = static_cast<unsigned char*>(FIND(library, lockfast_malloc)(32));
    prove(secret != nullptr, "a secret");
    secret[31] = 7;
    library.close();
  }
  promised(secret[31] == 7, "a secret outlives a dlclose");
  const loaded again(LOCKFAST_LIBRARY);
  promised(FIND(again, lockfast_check)(secret) == 0, "the library knows it as before");
  FIND(again, lockfast_free)(secret);
  again.close();
  // Its handlers are still there at a fork, and at the end of a thread that used it.
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 1;
  promised(waitpid(child, &status, 0) == child && status == 0, "a fork after the dlclose");
}

void the_drop_in() {
  const loaded library(SODIUM_LIBRARY);
  auto* const secret = static_cast<unsigned char*>(FIND(library, sodium_malloc)(32));
  promised(secret != nullptr && secret[0] == 0xdb, "a block");
  promised(traps_on_read(secret + 32), "the byte behind it traps");
  promised(FIND(library, sodium_mprotect_noaccess)(secret) == 0 && traps_on_read(secret), "a closed block traps");
  FIND(library, sodium_free)(secret);
}

const scenario by_every_thread("used by every thread", used_by_every_thread);
const scenario opened_again("closed and opened again", closed_and_opened_again);
const scenario by_name("the drop-in", the_drop_in);

void check(const scenario& one) {
  const ending end = one.run();
  INFO(end.text);
  CHECK(end.clean());
}

}  // namespace

TEST_CASE("a library that is loaded later serves the threads that there are, and those that come") { check(by_every_thread); }

TEST_CASE("a library that is closed stays, and its secrets with it") { check(opened_again); }

TEST_CASE("the drop-in may be loaded later too") { check(by_name); }
