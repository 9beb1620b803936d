// claims_test.cc - lockfast_mlock and lockfast_munlock beside what the program asks of the kernel itself: by system calls, since sanitizers
// do nothing for the C library's functions.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <string>

#include "support/child.h"
#include "support/page_state.h"
#include "support/pages.h"

namespace {

constexpr std::clock_t at_once = CLOCKS_PER_SEC / 20;  // of processor time, which a busy machine does not lengthen
constexpr int map_droppable = 0x08;  // Linux 6.11; older headers do not name it

struct own_pages {
  explicit own_pages(std::size_t count) : size(count * page_size()), first(map_pages(size)) { REQUIRE(first != nullptr); }
  ~own_pages() { unmap_pages(first, size); }
  own_pages(const own_pages&) = delete;
  own_pages& operator=(const own_pages&) = delete;

  [[nodiscard]] char* page(std::size_t index) const { return first + index * page_size(); }

  std::size_t size;
  char* first;
};

// Where a map of that name begins; null where there is none.
char* map_named(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(name)) return reinterpret_cast<char*>(std::stoull(line, nullptr, 16));
  }
  return nullptr;
}

void refuses_at_once(void* address, std::size_t length) {
  CAPTURE(length);
  const std::clock_t begin = std::clock();
  errno = 0;
  CHECK(lockfast_mlock(address, length) == -1);
  CHECK(errno == ENOMEM);
  CHECK(std::clock() - begin < at_once);
}

}  // namespace

TEST_CASE("a claim and its end leave the program its own lock, and its own advice against dumps") {
  if (!locks_are_real() || !asks_for_advice("advice against dumps")) return;
  const own_pages own(4);
  REQUIRE(syscall(SYS_mlock, own.page(1), 2 * page_size()) == 0);
  REQUIRE(madvise(own.page(2), page_size(), MADV_DONTDUMP) == 0);
  REQUIRE(lockfast_mlock(own.page(0) + 100, 3 * page_size()) == 0);
  for (std::size_t which = 0; which < 4; ++which) CHECK(state_of(own.page(which)).locked);
  for (std::size_t which = 0; which < 4; ++which) CHECK(state_of(own.page(which)).undumpable);
  REQUIRE(lockfast_munlock(own.page(0) + 100, 3 * page_size()) == 0);
  for (std::size_t which = 0; which < 4; ++which) {
    CAPTURE(which);
    CHECK(state_of(own.page(which)).locked == (which == 1 || which == 2));
    CHECK(state_of(own.page(which)).undumpable == (which == 2));
  }
}

TEST_CASE("a refused claim leaves the program its own lock") {
  // Whether a page is locked is asked by advice.
  if (!locks_are_real() || !asks_for_advice("a lock of the program's own")) return;
  const own_pages own(4);
  REQUIRE(syscall(SYS_mlock, own.page(1), page_size()) == 0);
  REQUIRE(make_hole(own.page(3), page_size()));
  errno = 0;
  CHECK(lockfast_mlock(own.page(0) + 10, 3 * page_size()) == -1);
  CHECK(errno == ENOMEM);
  for (std::size_t which = 0; which < 3; ++which) {
    CAPTURE(which);
    CHECK(state_of(own.page(which)).locked == (which == 1));
    CHECK_FALSE(state_of(own.page(which)).undumpable);
  }
  REQUIRE(fill_hole(own.page(3), page_size()));
}

TEST_CASE("memory that the kernel takes a lock of and does not hold is refused with ENOTSUP") {
  if (!locks_are_real()) return;
  const auto refused = [](int flags, std::size_t size) {
    void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (mapped == MAP_FAILED) {
      MESSAGE("skipped: this system has no such memory, or none left");
      return;
    }
    static_cast<char*>(mapped)[0] = 1;
    errno = 0;
    CHECK(lockfast_mlock(mapped, 64) == -1);
    CHECK(errno == ENOTSUP);
    munmap(mapped, size);
  };
  SUBCASE("droppable") { refused(map_droppable, page_size()); }
  // Of the kernel's own, for the calls that need none.
  SUBCASE("of a device") {
    char* const clock = map_named("[vvar]");
    if (clock == nullptr) return;
    errno = 0;
    CHECK(lockfast_mlock(clock, 64) == -1);
    CHECK(errno == ENOTSUP);
  }
  SUBCASE("of huge pages") { refused(MAP_PRIVATE | MAP_HUGETLB, std::size_t{2} << 20); }
}

TEST_CASE("a claim of more than there is, or than may be locked, is refused at once, however long") {
  if (sizeof(void*) < 8 || !locks_are_real() || !asks_for_own_process("2^40 bytes, page by page")) return;
  const own_pages own(2);
  for (const unsigned bits : {40U, 46U, 62U}) refuses_at_once(own.page(1), static_cast<std::size_t>(1ULL << bits));
  CHECK_FALSE(state_of(own.page(1)).locked);
  // What is mapped, and over the limit of an ordinary user.
  const ending end = in_child([] {
    const auto size = static_cast<std::size_t>(1ULL << 40);
    const rlimit limit{1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
    void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) skip("no address space of 2^40 bytes");
    const std::clock_t begin = std::clock();
    promised(lockfast_mlock(mapped, size) == -1 && errno == ENOMEM, "a refusal");
    promised(std::clock() - begin < at_once, "at once");
    promised(!state_of(mapped).locked, "nothing is locked");
  });
  CAPTURE(end.text);
  if (end.skipped()) {
    MESSAGE("skipped: " << end.text);
  } else {
    CHECK(end.clean());
  }
}
