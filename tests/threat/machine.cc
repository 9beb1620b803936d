// machine.cc - asks the kernel by trying.
#include "machine.h"

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "support/page_state.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

namespace {

class anonymous_page {
 public:
  anonymous_page() : at_(mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~anonymous_page() { munmap(at_, page_size()); }
  anonymous_page(const anonymous_page&) = delete;
  anonymous_page& operator=(const anonymous_page&) = delete;
  [[nodiscard]] void* at() const { return at_; }

 private:
  void* at_;
};

// Classic BPF over seccomp_data: call numbers and the low halves of arguments, of this process's own architecture.
void filter(std::span<sock_filter> program) {
  const sock_fprog loaded{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &loaded) != 0) {
    skip("this system has no filters of system calls");
  }
}

constexpr sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)); }
constexpr sock_filter unless_equal(unsigned value, unsigned char over) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, over);
}
constexpr sock_filter give(unsigned answer) { return BPF_STMT(BPF_RET | BPF_K, answer); }
constexpr sock_filter refuse(int answer) { return give(SECCOMP_RET_ERRNO | static_cast<unsigned>(answer)); }

}  // namespace

int hidden_refusal() {
  const auto descriptor = static_cast<int>(syscall(SYS_memfd_secret, 0));
  if (descriptor < 0) return errno;
  void* mapped = MAP_FAILED;
  if (ftruncate(descriptor, static_cast<off_t>(page_size())) == 0) {
    mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  int refusal = mapped == MAP_FAILED ? errno : 0;
  close(descriptor);
  if (refusal != 0) return refusal;
  // The kernel's own write is refused where a store would be answered by SIGBUS.
  if (getrandom(mapped, 1, 0) != 1) refusal = ENOMEM;
  munmap(mapped, page_size());
  return refusal;
}

bool has_hidden_memory() {
  const int refusal = hidden_refusal();
  if (refusal != 0) MESSAGE("skipped: no hidden memory here (memfd_secret), errno " << refusal);
  return refusal == 0;
}

bool has_guard_markers() {
  const anonymous_page page;
  return madvise(page.at(), page_size(), advice_guard_install) == 0;
}

bool has_seals() { return syscall(SYS_mseal, nullptr, 0, 0) == 0; }

bool has_map_names() {
  const anonymous_page page;
  return prctl(PR_SET_VMA, 0, page.at(), page_size(), "lockfast-test") == 0;
}

std::size_t bytes_available() {
  std::size_t kibibytes = 0;
  std::FILE* const file = std::fopen("/proc/meminfo", "re");
  if (file == nullptr) return 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr && std::sscanf(line, "MemAvailable: %zu kB", &kibibytes) != 1) {
  }
  std::fclose(file);
  return kibibytes * 1024;
}

bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#endif
#endif
  return false;
}

void options(const std::string& text) { prove(setenv("LOCKFAST_OPTIONS", text.c_str(), 1) == 0, "the variable"); }

void become_ordinary(std::size_t lock_limit, unsigned user) {
  const rlimit limit{lock_limit, lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
  if (geteuid() == 0 && (setgid(user) != 0 || setuid(user) != 0)) skip("no other user to become");
}

void forbid_call(long number, int answer) {
  sock_filter program[] = {load(offsetof(seccomp_data, nr)), unless_equal(static_cast<unsigned>(number), 1), refuse(answer),
                           give(SECCOMP_RET_ALLOW)};
  filter(program);
}

void forbid_call_with(long number, unsigned argument, unsigned value, int answer) {
  sock_filter program[] = {load(offsetof(seccomp_data, nr)),
                           unless_equal(static_cast<unsigned>(number), 3),
                           load(offsetof(seccomp_data, args) + argument * sizeof(__u64)),
                           unless_equal(value, 1),
                           refuse(answer),
                           give(SECCOMP_RET_ALLOW)};
  filter(program);
}

void forbid_advice(int advice, int answer) { forbid_call_with(SYS_madvise, 2, static_cast<unsigned>(advice), answer); }
