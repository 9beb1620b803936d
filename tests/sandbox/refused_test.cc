// refused_test.cc - calls that libsodium makes as well, refused from some moment on: what lives is freed, and the process goes on.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <lockfast/secret.hpp>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "filter.h"
#include "lifecycle.h"
#include "own_directory.h"
#include "support/check.h"
#include "support/child.h"

namespace {

struct named_call {
  const char* name;
  long number;
};
constexpr named_call shared_with_libsodium[] = {
    {"mprotect", SYS_mprotect}, {"munlock", SYS_munlock}, {"mmap", SYS_mmap}, {"munmap", SYS_munmap}, {"madvise", SYS_madvise}};

struct lives {
  std::vector<void*> secrets;
  lockfast_compartment* within = nullptr;
};

// More of each kind than rest idle, so that some are given back at once, within an ordinary user's lock limit.
lives make_secrets() {
  struct kind {
    std::size_t size;
    int count;
  };
  lives made;
  for (const kind& one : {kind{32, 40}, kind{9000, 40}, kind{300000, 8}}) {
    for (int count = 0; count < one.count; ++count) made.secrets.push_back(lockfast_malloc_isolated(one.size));
  }
  for (std::size_t size = 1; size < 16000; size += 61) made.secrets.push_back(lockfast_malloc(size));
  made.within = lockfast_compartment_create();
  for (int count = 0; count < 300; ++count) made.secrets.push_back(lockfast_compartment_malloc(made.within, 64));
  for (void* const each : made.secrets) prove(each != nullptr, "secrets");
  return made;
}

// What is asked of it is done, or refused and nothing is changed.
class filled_secret {
 public:
  filled_secret(void* address, std::size_t size) : address_(static_cast<unsigned char*>(address)), size_(size) {
    prove(address != nullptr, "a secret");
    for (std::size_t at = 0; at < size; ++at) address_[at] = byte_at(at);
  }
  [[nodiscard]] std::size_t size() const { return size_; }

  void protect(lockfast_access to) {
    if (lockfast_protect(address_, to) == 0) access_ = to;
    lockfast_receipt found = {};
    promised(lockfast_describe(address_, &found) == 0 && found.access == access_, "the access that was set last");
  }
  void resize(std::size_t size) {
    auto* const moved = static_cast<unsigned char*>(lockfast_realloc(address_, size));
    if (moved == nullptr) return;
    const std::size_t kept = std::min(size, size_);
    address_ = moved;
    size_ = kept;
    expect_bytes();
    size_ = size;
    for (std::size_t at = kept; access_ == LOCKFAST_READWRITE && at < size; ++at) address_[at] = byte_at(at);
    if (access_ != LOCKFAST_READWRITE) size_ = kept;
  }
  void expect_bytes() const {
    if (access_ == LOCKFAST_NOACCESS) return;
    for (std::size_t at = 0; at < size_; ++at) promised(address_[at] == byte_at(at), "the bytes that were written");
    const int found = lockfast_check(address_);
    promised(found == 0 || errno != EFAULT, "whole canaries");
  }
  // One that the system does not open can't be wiped: a free would end the process.
  [[nodiscard]] bool release() {
    const bool opens = access_ == LOCKFAST_READWRITE || lockfast_protect(address_, LOCKFAST_READWRITE) == 0;
    if (opens) lockfast_free(address_);
    return opens;
  }

 private:
  static unsigned char byte_at(std::size_t at) { return static_cast<unsigned char>(at * 7 + 1); }

  unsigned char* address_;
  std::size_t size_;
  lockfast_access access_ = LOCKFAST_READWRITE;
};

void free_all(const lives& made) {
  for (void* const each : made.secrets) lockfast_free(each);
  lockfast_compartment_destroy(made.within);
  (void)lockfast_trim();
  struct lockfast_statistics counts;
  lockfast_get_statistics(&counts);
  promised(counts.live == 0, "nothing is live");
}

}  // namespace

TEST_CASE("what lives when a sandbox is entered is freed there, whichever call is refused from then on") {
  for (const char* const options : {"hidden=auto", "hidden=off", "freed=recycle", "hidden=off,lock=preferred,freed=recycle"}) {
    CAPTURE(options);
    for (const named_call& one : shared_with_libsodium) {
      CAPTURE(one.name);
      check_clean(in_child([&] {
        prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
        const lives made = make_secrets();
        prove(filter_calls({&one.number, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
        free_all(made);
        // What is asked for now is served, or refused.
        void* const next = lockfast_malloc_isolated(32);
        if (next != nullptr) std::memset(next, 'x', 32);
        lockfast_free(next);
      }));
    }
    check_clean(in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
      const lives made = make_secrets();
      std::vector<long> all;
      for (const named_call& one : shared_with_libsodium) all.push_back(one.number);
      prove(filter_calls(all, verdict::refuse(EPERM), verdict::allow()), "the filter");
      free_all(made);
    }));
  }
}

TEST_CASE("whichever call is refused from some moment on, and by which errno, each secret keeps its bytes and its access") {
  for (const char* const options : {"hidden=auto", "hidden=off", "rest=seal", "freed=recycle,hidden=off", "lock=preferred"}) {
    CAPTURE(std::string(options));
    for (const named_call& one : shared_with_libsodium) {
      CAPTURE(std::string(one.name));
      for (const int error : {EPERM, ENOSYS, ENOMEM, EAGAIN}) {
        CAPTURE(error);
        check_clean(in_child([&] {
          prove(set_variable("LOCKFAST_OPTIONS", options), "the options");
          std::vector<filled_secret> all;
          for (const std::size_t size : {32U, 5000U, 70000U}) {
            for (int count = 0; count < 6; ++count) {
              all.emplace_back(lockfast_malloc_isolated(size), size);
              all.emplace_back(lockfast_malloc(size), size);
            }
          }
          for (std::size_t at = 0; at < all.size(); at += 4) all[at].protect(LOCKFAST_NOACCESS);
          prove(filter_calls({&one.number, 1}, verdict::refuse(error), verdict::allow()), "the filter");
          for (int round = 0; round < 2; ++round) {
            for (filled_secret& each : all) each.protect(LOCKFAST_READONLY);
            for (filled_secret& each : all) each.expect_bytes();
            (void)lockfast_audit();
            for (filled_secret& each : all) each.protect(LOCKFAST_NOACCESS);
            (void)lockfast_trim();
            for (filled_secret& each : all) each.protect(LOCKFAST_READWRITE);
            for (filled_secret& each : all) each.resize(each.size() + 300);
          }
          for (filled_secret& each : all) each.expect_bytes();
          std::size_t left = 0;
          for (filled_secret& each : all) left += each.release() ? 0U : 1U;
          promised(left == 0 || one.number == SYS_mprotect, "what can be opened is freed");
          struct lockfast_statistics counts;
          lockfast_get_statistics(&counts);
          promised(counts.live == left, "nothing else is live");
        }));
      }
    }
  }
}

TEST_CASE("under lock=required no secret lives in pages that lost their lock when they could not be given back") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "hidden=off"), "the options");
    std::array<void*, 2> secrets = {lockfast_malloc(32), lockfast_malloc_isolated(32)};
    for (void* const each : secrets) lockfast_free(each);
    const std::array<long, 3> calls = {SYS_mprotect, SYS_mlock, SYS_mlock2};
    prove(filter_calls(calls, verdict::refuse(EPERM), verdict::allow()), "the filter");
    for (int round = 0; round < 2; ++round) {
      (void)lockfast_trim();
      promised(lockfast_malloc(32) == nullptr && errno == ENOMEM, "grouped: refused");
      promised(lockfast_malloc_isolated(32) == nullptr && errno == ENOMEM, "isolated: refused");
    }
    struct lockfast_statistics counts;
    lockfast_get_statistics(&counts);
    promised(counts.live == 0 && counts.bytes_locked == 0, "nothing is locked");
  }));
}

TEST_CASE(
    "a closed hidden secret that cannot be opened any more is freed: the kernel wipes it, and a second free is a breach") {
  const ending end = in_child([] {
    // Without the page that the key of sealed secrets takes.
    prove(set_variable("LOCKFAST_OPTIONS", "rest=keep"), "the options");
    void* const secret = lockfast_malloc_isolated(32);
    prove(secret != nullptr && lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closed secret");
    lockfast_receipt receipt;
    prove(lockfast_describe(secret, &receipt) == 0, "a receipt");
    if (receipt.backing != LOCKFAST_HIDDEN) skip("nothing is hidden here");
    const long access = SYS_mprotect;
    prove(filter_calls({&access, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
    promised(lockfast_protect(secret, LOCKFAST_READONLY) == -1 && errno == EPERM, "the filter's errno");
    lockfast_free(secret);
    struct lockfast_statistics counts;
    lockfast_get_statistics(&counts);
    promised(counts.live == 0 && counts.frees == 1 && counts.bytes_locked == 0, "freed, and its pages given back");
    lockfast_free(secret);
  });
  if (end.skipped()) return;
  CAPTURE(end.text);
  CHECK(end.died());
  CHECK(end.said("double free"));
}

TEST_CASE("a secret whose address space a child cannot reserve again is a foreign pointer there, wherever it lay") {
  const ending end = in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "fork=absent"), "the options");
    // This thread knows the slab that it freed into last.
    const std::array<void*, 2> secrets = {lockfast_malloc(32), lockfast_malloc(32)};
    prove(secrets[0] != nullptr && secrets[1] != nullptr, "secrets");
    lockfast_free(secrets[0]);
    const long map = SYS_mmap;
    prove(filter_calls({&map, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
    const pid_t child = fork();
    prove(child >= 0, "a fork");
    if (child == 0) {
      lockfast_free(secrets[1]);
      _exit(0);
    }
    int status = 0;
    prove(waitpid(child, &status, 0) == child, "its end");
    promised(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "a breach");
    lockfast_free(secrets[1]);
  });
  CAPTURE(end.text);
  CHECK(end.clean());
  CHECK(end.said("invalid pointer"));
}

TEST_CASE("random bytes come from the device where getrandom is refused") {
  for (const int error : {EPERM, ENOSYS}) {
    const own_directory own;
    check_clean(in_child([&] {
      const long random = SYS_getrandom;
      prove(filter_calls({&random, 1}, verdict::refuse(error), verdict::allow()), "the filter");
      std::array<unsigned char, 64> bytes = {};
      lockfast_random(bytes.data(), bytes.size());
      int zeros = 0;
      for (const unsigned char each : bytes) zeros += each == 0;
      promised(zeros < 8, "random bytes");
      live_in_c();
      live_over_a_fork();
    }));
  }
}

TEST_CASE("a device in the place of the generator's is not taken for it") {
  check_clean(in_child([] {
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) skip("no file system of its own");
    // Nothing of it comes to the others.
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) skip("no file system of its own");
    if (mount("/dev/zero", "/dev/urandom", nullptr, MS_BIND, nullptr) != 0) skip("no mount");
    const long random = SYS_getrandom;
    prove(filter_calls({&random, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
    std::array<unsigned char, 64> bytes = {};
    promised(lockfast_try_random(bytes.data(), bytes.size()) == -1 && errno == EPERM, "refused");
    promised(lockfast_malloc(32) == nullptr && errno == EPERM, "no secret without random bytes");
  }));
}

TEST_CASE("under crash=wipe a program goes on from no crash that leaves a secret open") {
  const ending end = in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "crash=wipe"), "the options");
    // Reached only through the library's handler, which was installed after it.
    prove(std::signal(SIGFPE, [](int) { _exit(0); }) != SIG_ERR, "a handler");
    prove(lockfast_malloc_isolated(32) != nullptr, "a secret");
    const long change = SYS_mprotect;
    prove(filter_calls({&change, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
    (void)raise(SIGFPE);
  });
  CAPTURE(end.text);
  CHECK(end.signal == SIGFPE);
}

namespace {

// From now on neither getrandom nor a file that would be opened: what /dev/urandom is to a process in a jail.
bool has_no_generator() {
  const std::array<long, 3> calls = {SYS_getrandom, SYS_openat, SYS_open};
  return filter_calls(calls, verdict::refuse(EPERM), verdict::allow());
}

}  // namespace

TEST_CASE("without a generator an allocator does not start, and says so by an error") {
  check_clean(in_child([] {
    prove(has_no_generator(), "the filter");
    promised(lockfast_malloc(32) == nullptr && errno == EPERM, "grouped: the filter's errno");
    promised(lockfast_malloc(20000) == nullptr && errno == EPERM, "isolated: the filter's errno");
    promised(lockfast_compartment_create() == nullptr && errno == EPERM, "a compartment: the filter's errno");
    struct lockfast_statistics counts;
    lockfast_get_statistics(&counts);
    promised(counts.refusals == 3 && counts.live == 0, "counted");
  }));
}

TEST_CASE("a claim of memory needs no random bytes, whatever was called before it") {
  check_clean(in_child([] {
    prove(has_no_generator(), "the filter");
    std::array<char, 10000> own = {};
    promised(lockfast_mlock(own.data(), 5000) == 0 && lockfast_mlock(own.data() + 9000, 1000) == 0, "claims");
    promised(lockfast_munlock(own.data() + 100, 100) == 0 && lockfast_munlock(own.data(), own.size()) == 0, "given up");
  }));
}

TEST_CASE("a process that loses its generator goes on: new regions, threads and children") {
  check_clean(in_child([] {
    lockfast_free(lockfast_malloc(16));  // a start
    prove(has_no_generator(), "the filter");
    // More than a region of any size that the start made, and a thread's own cache.
    live_without_drawing();
    std::thread(live_without_drawing).join();
    live_over_a_fork();
    // What is sealed needs a key, which the start did not draw: it is closed without.
    std::vector<void*> many;
    for (int count = 0; count < 3000; ++count) {
      void* const secret = lockfast_malloc_isolated(64);
      if (secret == nullptr) break;
      std::memset(secret, 0x5a, 64);
      prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closed secret");
      many.push_back(secret);
    }
    promised(many.size() > 50, "secrets");
    for (void* const secret : many) {
      prove(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened again");
      promised(static_cast<unsigned char*>(secret)[63] == 0x5a, "its bytes");
      lockfast_free(secret);
    }
  }));
}

TEST_CASE("random bytes that the system does not give are refused by an error wherever one can be given") {
  check_clean(in_child([] {
    lockfast_free(lockfast_malloc_isolated(16));  // a start
    prove(has_no_generator(), "the filter");
    std::array<unsigned char, 300> bytes;
    bytes.fill('x');
    promised(lockfast_try_random(bytes.data(), bytes.size()) == -1 && errno == EPERM, "the filter's errno");
    promised(std::ranges::count(bytes, 0) == std::ssize(bytes), "zeros, which nobody takes for random bytes");
    const auto secret = lockfast::buffer<std::byte>::random(64);
    promised(!secret && secret.error() == lockfast::memory_error::denied, "no buffer");
    const auto object = lockfast::boxed<std::array<unsigned char, 32>>::random();
    promised(!object && object.error() == lockfast::memory_error::denied, "no object");
    struct lockfast_statistics counts;
    lockfast_get_statistics(&counts);
    promised(counts.live == 0, "nothing is left of them");
  }));
  std::array<unsigned char, 300> bytes = {};
  CHECK(lockfast_try_random(bytes.data(), bytes.size()) == 0);
  CHECK(std::ranges::count(bytes, 0) < 30);
}

TEST_CASE("sodium_mlock says that it locked where only the advice against dumps is refused; lockfast_mlock refuses") {
  check_clean(in_child([] {
    void* const library = dlopen(LOCKFAST_SODIUM, RTLD_NOW | RTLD_LOCAL);
    prove(library != nullptr, "the drop-in");
    using call = int (*)(void*, std::size_t);
    const auto lock = reinterpret_cast<call>(dlsym(library, "sodium_mlock"));
    const auto unlock = reinterpret_cast<call>(dlsym(library, "sodium_munlock"));
    prove(lock != nullptr && unlock != nullptr, "its functions");
    const long advice = SYS_madvise;
    prove(filter_calls({&advice, 1}, verdict::refuse(EPERM), verdict::allow()), "the filter");
    std::array<char, 64> own = {};
    promised(lock(own.data(), own.size()) == 0, "locked");
    promised(unlock(own.data(), own.size()) == 0, "unlocked");
    promised(lockfast_mlock(own.data(), own.size()) == -1 && errno == EPERM, "lockfast_mlock promises both");
  }));
}
