// facts.cc - prints what the kernel and the processor have of that for which Lockfast has two ways; scripts/test-kernels makes
// a table of it.
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "platform/platform.h"

namespace {

using namespace lockfast;

constexpr long call_memfd_secret = 447;
constexpr long call_mseal = 462;
constexpr unsigned ordinary_user = 65534;

std::string answer_of(platform::error refusal) {
  if (refusal == ENOSYS) return "no";
  return refusal == 0 ? "yes" : "errno " + std::to_string(refusal);
}

// Whose lock limit hidden memory counts against: a map over the limit is refused where it is the process's, and where it is the
// user's, its pages are.
std::string hidden_account() {
  const std::size_t limit = 4 * platform::page_size();
  const rlimit wanted{limit, limit};
  if (setrlimit(RLIMIT_MEMLOCK, &wanted) != 0) return answer_of(errno);
  const auto file = static_cast<int>(syscall(call_memfd_secret, 0));
  const std::size_t size = 2 * limit;
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) return answer_of(errno);
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) return errno == EAGAIN ? "by process" : answer_of(errno);
  for (std::size_t at = 0; at < size; at += platform::page_size()) {
    if (getrandom(static_cast<std::byte*>(mapped) + at, 1, 0) != 1) return "by user";
  }
  return "not at all";
}

int key_count() {
  int count = 0;
  while (platform::take_key() != platform::no_key) ++count;
  return count;
}

}  // namespace

int main() {
  utsname system;
  uname(&system);
  const auto say = [](const char* fact, const std::string& value) { std::printf(":: fact %s=%s\n", fact, value.c_str()); };
  say("kernel", system.release);
  say("build", system.version);
  say("processor", system.machine);
  say("page", std::to_string(platform::page_size()));
  say("hidden", answer_of(platform::hiding_error()));
  say("markers", platform::has_guard_markers() ? "yes" : "no");
  say("seals", answer_of(syscall(call_mseal, nullptr, 0, 0) == 0 ? 0 : errno));
  say("keys", std::to_string(key_count()));
  say("locks", platform::locks_are_real() ? "yes" : "no");
  // Last, since the limit stays, and the user.
  say("account_of_root", hidden_account());
  say("account", setuid(ordinary_user) == 0 ? hidden_account() : answer_of(errno));
}
