#include "tools/doctor/trials.h"

#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>

#include "tools/rights.h"

namespace lockfast::tools {
namespace {

// Of newer kernels than the headers may know; the numbers are the same on every processor.
constexpr long memfd_secret_number = 447;
constexpr long mseal_number = 462;
constexpr int guard_install = 102;
constexpr int get_memory_merge = 68;

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

// Ends a child's trial at the step that failed.
[[noreturn]] void finish(int to, trial result) {
  [[maybe_unused]] const ssize_t written = write(to, &result, sizeof result);
  _exit(0);
}

class attempt {
 public:
  explicit attempt(int to) : to_(to) {}

  // Ends the trial here if the step failed, with the errno of now or another.
  void step(bool done) { step(done, errno); }
  void step(bool done, int error) {
    ++result_.step;
    if (done) return;
    result_.error = error;
    finish(to_, result_);
  }
  void saw(std::uint64_t value, bool more = false) {
    result_.value = value;
    result_.more = more;
  }
  [[noreturn]] void end() {
    result_.step = 0;
    finish(to_, result_);
  }

 private:
  int to_;
  trial result_{.tried = true};
};

trial in_child(const std::function<void(attempt&)>& body) {
  constexpr unsigned patience = 20;  // seconds
  trial result;
  int line[2];
  if (pipe2(line, O_CLOEXEC) != 0) return result;
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(patience);
    attempt one(line[1]);
    body(one);
    one.end();
  }
  close(line[1]);
  if (child > 0) {
    const bool whole = read(line[0], &result, sizeof result) == sizeof result;
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!whole) {
      result = {};
      result.tried = true;
      result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
    }
  }
  close(line[0]);
  return result;
}

void* fresh_page() { return mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

// Whether the kernel can read a byte there on our behalf: no signal where it cannot.
bool readable(const void* address) {
  int line[2];
  if (pipe2(line, O_CLOEXEC) != 0) return true;
  const bool read_it = write(line[1], address, 1) == 1;
  close(line[0]);
  close(line[1]);
  return read_it;
}

long status_of(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::strtol(line.c_str() + key.size() + 1, nullptr, 10);
  }
  return -1;
}

void try_lock(attempt& one) {
  void* const page = fresh_page();
  one.step(page != MAP_FAILED);
  std::memset(page, 1, page_size());
  const long before = status_of("VmLck");
  one.step(mlock(page, page_size()) == 0);
  one.step(status_of("VmLck") > before, 0);
}

void try_hidden(attempt& one) {
  const int descriptor = static_cast<int>(syscall(memfd_secret_number, O_CLOEXEC));
  one.step(descriptor >= 0);
  one.step(ftruncate(descriptor, static_cast<off_t>(page_size())) == 0);
  void* const page = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  one.step(page != MAP_FAILED);
  one.step(getrandom(page, 1, 0) == 1);
}

void try_hidden_budget(attempt& one) {
  const rlimit limit{page_size(), page_size()};
  one.step(give_up_rights());
  one.step(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  const int descriptor = static_cast<int>(syscall(memfd_secret_number, O_CLOEXEC));
  one.step(descriptor >= 0 && ftruncate(descriptor, static_cast<off_t>(2 * page_size())) == 0);
  one.step(mmap(nullptr, 2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) != MAP_FAILED);
}

void try_guard(attempt& one) {
  void* const page = fresh_page();
  one.step(page != MAP_FAILED && madvise(page, page_size(), guard_install) == 0);
  one.step(!readable(page), 0);
}

void try_key(attempt& one) {
  const int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
  one.step(key >= 0);
  void* const page = fresh_page();
  one.step(page != MAP_FAILED && pkey_mprotect(page, page_size(), PROT_READ | PROT_WRITE, key) == 0);
  one.step(!readable(page), 0);
}

void try_seal(attempt& one) {
  void* const page = fresh_page();
  one.step(page != MAP_FAILED && syscall(mseal_number, page, page_size(), 0) == 0);
  one.step(munmap(page, page_size()) != 0, 0);
}

// What qemu-user says yes to without doing it.
void try_fork(attempt& one) {
  auto* const page = static_cast<char*>(fresh_page());
  one.step(page != MAP_FAILED && madvise(page, page_size(), MADV_WIPEONFORK) == 0);
  *page = 1;
  const pid_t child = fork();
  one.step(child >= 0);
  if (child == 0) _exit(*page);
  int status = 0;
  one.step(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, 0);
}

void try_dump(attempt& one) {
  void* const page = fresh_page();
  one.step(page != MAP_FAILED && madvise(page, page_size(), MADV_DONTDUMP) == 0);
  std::memset(page, 1, page_size());
  std::ifstream maps("/proc/self/smaps");
  bool marked = false, ours = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    // The kernel wrote the line. NOLINTNEXTLINE(cert-err34-c)
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      const auto address = reinterpret_cast<std::uintptr_t>(page);
      ours = begin <= address && address < end;
    }
    if (ours && line.starts_with("VmFlags:")) marked = line.find(" dd") != std::string::npos;
  }
  one.step(marked, 0);
}

void try_merge(attempt& one) { one.saw(prctl(get_memory_merge, 0, 0, 0, 0) == 1 ? 1 : 0); }

// Two children of one that gave its rights up: neither started the other.
void try_peer(attempt& one) {
  static char secret = 42;
  one.step(give_up_rights());
  int line[2];
  one.step(pipe(line) == 0);
  const pid_t owner = fork();
  one.step(owner >= 0);
  if (owner == 0) {
    char end;
    close(line[1]);
    [[maybe_unused]] const ssize_t got = read(line[0], &end, 1);
    _exit(0);
  }
  const pid_t reader = fork();
  if (reader == 0) {
    char copy = 0;
    const iovec to{&copy, 1}, from{&secret, 1};
    _exit(process_vm_readv(owner, &to, 1, &from, 1, 0) == 1 && copy == secret ? 1 : 0);
  }
  int status = 0;
  one.step(reader > 0 && waitpid(reader, &status, 0) == reader && WIFEXITED(status));
  one.saw(static_cast<std::uint64_t>(WEXITSTATUS(status)));
  close(line[1]);
  waitpid(owner, nullptr, 0);
}

// Keys of 32 bytes until one is refused or has another backing; for a second at most.
void count_keys(attempt& one, lockfast_hidden hidden, void* (*allocate)(std::size_t), std::uint64_t most) {
  lockfast_options options{};
  options.lock = LOCKFAST_LOCK_REQUIRED;
  options.hidden = hidden;
  options.rest = LOCKFAST_REST_KEEP;
  options.environment = LOCKFAST_ENVIRONMENT_IGNORED;
  one.step(lockfast_configure(&options) == 0);
  const lockfast_backing wanted = hidden == LOCKFAST_HIDDEN_ON ? LOCKFAST_HIDDEN : LOCKFAST_LOCKED;
  const std::time_t begin = std::time(nullptr);
  std::uint64_t count = 0;
  for (; count < most; ++count) {
    void* const key = allocate(32);
    if (key == nullptr) break;
    lockfast_receipt receipt;
    if (lockfast_describe(key, &receipt) != 0 || receipt.backing != wanted) break;
    if (count % 256 == 0 && std::time(nullptr) > begin + 1) {
      most = count;
      break;
    }
  }
  one.saw(count, count >= most);
}

}  // namespace

trial_results try_everything(std::uint64_t memory_room) {
  // For the record: a key of its own has a page, a grouped one 48 bytes of one.
  const std::uint64_t pages = memory_room / 4 / page_size();
  const std::uint64_t most_isolated = std::min<std::uint64_t>(10000, pages);
  const std::uint64_t most_grouped = std::min<std::uint64_t>(200000, pages * 64);
  trial_results results;
  results["lock"] = in_child(try_lock);
  results["hidden"] = in_child(try_hidden);
  results["hidden_budget"] = in_child(try_hidden_budget);
  results["guard"] = in_child(try_guard);
  results["key"] = in_child(try_key);
  results["seal"] = in_child(try_seal);
  results["fork"] = in_child(try_fork);
  results["dump"] = in_child(try_dump);
  results["merge"] = in_child(try_merge);
  results["peer"] = in_child(try_peer);
  const auto counted = [&](lockfast_hidden hidden, void* (*allocate)(std::size_t), std::uint64_t most) {
    return in_child([=](attempt& one) { count_keys(one, hidden, allocate, most); });
  };
  results["isolated_locked"] = counted(LOCKFAST_HIDDEN_OFF, lockfast_malloc_isolated, most_isolated);
  results["grouped_locked"] = counted(LOCKFAST_HIDDEN_OFF, lockfast_malloc, most_grouped);
  results["isolated_hidden"] = counted(LOCKFAST_HIDDEN_ON, lockfast_malloc_isolated, most_isolated);
  results["grouped_hidden"] = counted(LOCKFAST_HIDDEN_ON, lockfast_malloc, most_grouped);
  return results;
}

}  // namespace lockfast::tools
