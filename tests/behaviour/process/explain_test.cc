// explain_test.cc - lockfast_explain after real refusals: the limit that was met is named, with its figures.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "behaviour/forked.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/sanitized.h"

namespace {

std::string explanation(int error) {
  std::array<char, 1024> text = {};
  const std::size_t length = lockfast_explain(error, text.data(), text.size());
  promised(length == std::strlen(text.data()), "the length of a text that fits");
  return text.data();
}

void must_say(const std::string& text, const std::string& words) {
  promised(text.find(words) != std::string::npos, text.c_str());
}

void become_ordinary(std::size_t lock_limit) {
  const rlimit limit{lock_limit, lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
  if (geteuid() != 0) skip("only root can become an ordinary user");
  if (setgid(65534) != 0 || setuid(65534) != 0) skip("no other user to become");
}

}  // namespace

TEST_CASE("a lock limit that is used up is named, with its figures and the ways to raise it") {
  const ending end = in_child([] {
    constexpr std::size_t limit = std::size_t{1} << 18;
    become_ordinary(limit);
    // Open secrets, which cannot be sealed.
    void* last = nullptr;
    do {
      last = lockfast_malloc_isolated(4096);
    } while (last != nullptr);
    prove(errno == ENOMEM, "a refusal");
    const std::string text = explanation(errno);
    must_say(text, "the lock limit is used up");
    must_say(text, "of " + std::to_string(limit) + " bytes");
    must_say(text, "LimitMEMLOCK=");
    must_say(text, "rest=seal");
  });
  if (end.skipped()) return;
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a limit on maps that is used up is named, with its figures and the ways around it") {
  const ending end = in_child([] {
    struct lockfast_statistics now = {};
    lockfast_get_statistics(&now);
    if (now.map_limit > std::size_t{1} << 20) skip("vm.max_map_count is too high to be reached");
    if (sanitized || is_emulated()) skip("a sanitizer, or an emulator, needs maps of its own");
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* const room = mmap(nullptr, 2 * now.map_limit * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    prove(room != MAP_FAILED, "address space");
    // Every other page of one mapping with another access: two maps more for each.
    auto* at = static_cast<char*>(room) + page;
    while (mprotect(at, page, PROT_READ) == 0) at += 2 * page;
    while (mmap(nullptr, page, PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
    }
    prove(errno == ENOMEM && lockfast_malloc_isolated(4096) == nullptr && errno == ENOMEM, "a refusal");
    const std::string text = explanation(ENOMEM);
    const std::string limit = std::to_string(now.map_limit);
    must_say(text, "maps are used up: ");
    must_say(text, " of " + limit);
    must_say(text, "rest=seal");
    std::size_t used = 0;
    promised(std::sscanf(text.c_str(), "maps are used up: %zu", &used) == 1 && used <= now.map_limit, "no more than there are");
  });
  if (end.skipped()) return;
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a lock limit of 0 is named") {
  const ending end = in_child([] {
    become_ordinary(0);
    prove(lockfast_malloc(32) == nullptr, "a refusal");
    must_say(explanation(errno), "RLIMIT_MEMLOCK is 0");
  });
  if (end.skipped()) return;
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("what is no shortage is told as what it is") {
  const ending end = in_child([] {
    must_say(explanation(EFAULT), "a canary is damaged");
    must_say(explanation(ENOSYS), "has not got a call");
    must_say(explanation(EPERM), "seccomp filter");
    must_say(explanation(ENOTSUP), "lockfast_compartment_protect");
    must_say(explanation(-1), "errno 0");
    become_ordinary(0);
    must_say(explanation(EPERM), "RLIMIT_MEMLOCK is 0");
  });
  if (end.skipped()) return;
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("options that are refused are named by their field, and accepted ones are forgotten again") {
  const ending end = in_child([] {
    struct lockfast_options options = {};
    options.freed = static_cast<lockfast_freed>(3);
    prove(lockfast_configure(&options) == -1 && errno == EINVAL, "refused");
    must_say(explanation(EINVAL), "lockfast_options.freed");
    options.freed = LOCKFAST_FREED_TRAP;
    options.reserved[3] = 1;
    prove(lockfast_configure(&options) == -1, "refused");
    must_say(explanation(EINVAL), "lockfast_options.reserved");
    options.reserved[3] = 0;
    const std::string long_path(5000, 'p');
    options.report = long_path.c_str();
    prove(lockfast_configure(&options) == -1, "refused");
    must_say(explanation(EINVAL), "lockfast_options.report");
    options.report = nullptr;
    prove(lockfast_configure(&options) == 0, "accepted");
    must_say(explanation(EINVAL), "an argument");
    void* const secret = lockfast_malloc(1);
    prove(lockfast_configure(&options) == -1 && errno == EBUSY, "too late");
    must_say(explanation(EBUSY), "too late");
    prove(lockfast_protect(secret, LOCKFAST_READONLY) == -1 && errno == ENOTSUP, "no access of its own");
    must_say(explanation(ENOTSUP), "lockfast_malloc_isolated");
    lockfast_free(secret);
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a size that there is no room for is not said to be a limit's fault") {
  CHECK(explanation(ENOMEM).find("used up") == std::string::npos);
  CHECK(explanation(ENOMEM).find("the size is more than") == 0);
}

TEST_CASE("an explanation is cut at its room, ends with 0 there, touches nothing behind, and leaves errno alone") {
  const std::string whole = explanation(EINVAL);
  for (const std::size_t room : {std::size_t{0}, std::size_t{1}, std::size_t{5}, whole.size(), whole.size() + 1}) {
    CAPTURE(room);
    std::array<char, 1024> text;
    text.fill('#');
    errno = ERANGE;
    CHECK(lockfast_explain(EINVAL, text.data(), room) == whole.size());
    CHECK(errno == ERANGE);
    CHECK(text[room] == '#');
    if (room != 0) CHECK(std::string(text.data()) == whole.substr(0, room - 1));
  }
  CHECK(lockfast_explain(EINVAL, nullptr, 0) == whole.size());
  for (const int error : {0, -1, 1, 4096}) CHECK(lockfast_explain(error, nullptr, 0) > 10);
}
