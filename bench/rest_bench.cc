// rest_bench.cc - how much does it cost to open and close a secret that is sealed at rest, beside the system calls that it needs?
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "bench/bare_pages.h"
#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t secret_size = 32;
constexpr rlim_t lock_limit = 8U << 20U;   // what most systems give to a user
constexpr std::size_t beyond_limit = 4096;  // secrets: each is sealed again before its next turn
constexpr uid_t nobody = 65534;

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// An ordinary user under the limit.
void become_user() {
  const rlimit limit{.rlim_cur = lock_limit, .rlim_max = lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) give_up("a lock limit of 8 MiB");
  if (geteuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setresgid(nobody, nobody, nobody) != 0 || setresuid(nobody, nobody, nobody) != 0)) {
    give_up("another user");
  }
  // A process that changes its user may no longer read what /proc says of it.
  if (prctl(PR_SET_DUMPABLE, 1) != 0) give_up("PR_SET_DUMPABLE");
}

void require(bool done, const char* what) {
  if (!done) give_up(what);
}

// What is measured, in a process of its own: start() once, then turn(i) for i = 0, 1, 2 ...
struct course {
  std::string name;
  std::function<void()> start;
  std::function<void(std::uint64_t)> turn;
};

// ---- Bare system calls: pages in turn, each between two without access ---------------------------------------------------------

std::vector<char*> bare_pages(std::size_t count) {
  auto* const reserved = static_cast<char*>(
      mmap(nullptr, (2 * count + 1) * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  require(reserved != MAP_FAILED, "mmap");
  std::vector<char*> pages;
  for (std::size_t at = 0; at < count; ++at) pages.push_back(reserved + (2 * at + 1) * page_size());
  return pages;
}

// An access and a lock, the secret, then a wipe, and back.
void open_and_close_page(char* page) {
  require(mprotect(page, page_size(), PROT_READ | PROT_WRITE) == 0, "mprotect");
  require(mlock2(page, page_size(), MLOCK_ONFAULT) == 0, "mlock2");
  touch(page + page_size() - secret_size, secret_size);
  std::memset(page, 0, page_size());
  require(munlock(page, page_size()) == 0, "munlock");
  require(madvise(page, page_size(), MADV_DONTNEED) == 0, "madvise");
  require(mprotect(page, page_size(), PROT_NONE) == 0, "mprotect");
}

// The same, but the page is no map of its own afterwards: else a million secrets would be two million maps.
void open_and_join_page(char* page) {
  require(mprotect(page, page_size(), PROT_READ | PROT_WRITE) == 0, "mprotect");
  require(mlock2(page, page_size(), MLOCK_ONFAULT) == 0, "mlock2");
  touch(page + page_size() - secret_size, secret_size);
  std::memset(page, 0, page_size());
  require(mmap(page, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page, "mmap");
}

// The page of one place in turn is opened, read and wiped, and its lock goes to the next without one. Each such page is a map of its own.
std::vector<char*> places;
constexpr std::size_t locked_pages = 1024;

void lock_first_pages() {
  become_user();
  places = bare_pages(beyond_limit);
  for (std::size_t at = 0; at < beyond_limit; ++at) {
    char* const place = places[at];
    require(mprotect(place, page_size(), PROT_READ | PROT_WRITE) == 0, "mprotect");
    touch(place, secret_size);
    if (at >= locked_pages) require(madvise(place, page_size(), MADV_DONTNEED) == 0, "madvise");
    if (at < locked_pages) require(mlock(place, page_size()) == 0, "mlock");
    require(mprotect(place, page_size(), PROT_NONE) == 0, "mprotect");
  }
}

void hand_over_and_open(std::uint64_t i) {
  const std::size_t page = page_size();
  char* const from = places[i % beyond_limit];
  require(mprotect(from, page, PROT_READ | PROT_WRITE) == 0, "mprotect");
  touch(from + page - secret_size, secret_size);
  std::memset(from, 0, page);
  require(munlock(from, page) == 0, "munlock");
  require(madvise(from, page, MADV_DONTNEED) == 0, "madvise");
  require(mprotect(from, page, PROT_NONE) == 0, "mprotect");
  char* const to = places[(i + locked_pages) % beyond_limit];
  require(mprotect(to, page, PROT_READ | PROT_WRITE) == 0, "mprotect");
  require(mlock(to, page) == 0, "mlock");
  touch(to + page - secret_size, secret_size);
  require(mprotect(to, page, PROT_NONE) == 0, "mprotect");
}

course bare_hand_over(const char* name) {
  static std::uint64_t turn = 0;
  return {name, lock_first_pages, [](std::uint64_t) { hand_over_and_open(turn++); }};
}

course bare(const char* name, void (*open_and_close)(char* page)) {
  static std::vector<char*> pages;
  return {name, [] { pages = bare_pages(beyond_limit); },
          [open_and_close](std::uint64_t i) { open_and_close(pages[i % pages.size()]); }};
}

course bare_access(const char* name) {
  static char* page;
  return {name,
          [] {
            page = bare_pages(1)[0];
            require(mprotect(page, page_size(), PROT_READ | PROT_WRITE) == 0 && mlock2(page, page_size(), MLOCK_ONFAULT) == 0, "a page");
          },
          [](std::uint64_t) {
            require(mprotect(page, page_size(), PROT_READ | PROT_WRITE) == 0, "mprotect");
            touch(page, secret_size);
            require(mprotect(page, page_size(), PROT_NONE) == 0, "mprotect");
          }};
}

// The page of one hidden place in turn moves to the next without one: what a sandbox allows is looked at before calls that some list may
// lack; then a second map of the page, an inaccessible page in its old place, access, the secret, a wipe, and no access.
constexpr std::size_t hidden_pages = 1024;
char* hidden_places;

char* hidden_place(std::uint64_t at) { return hidden_places + (2 * (at % beyond_limit) + 1) * page_size(); }

void hide_first_pages() {
  become_user();
  hidden_places = bare_pages(beyond_limit)[0] - page_size();
  std::byte* const pages = map_hidden(hidden_pages);
  for (std::size_t at = 0; at < hidden_pages; ++at) {
    char* const place = hidden_place(at);
    require(mremap(pages + at * page_size(), page_size(), page_size(), MREMAP_MAYMOVE | MREMAP_FIXED, place) == place, "mremap");
    require(mprotect(place, page_size(), PROT_NONE) == 0, "mprotect");
  }
}

void look_at_filters() {
  char text[4096];
  const int status = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  require(status >= 0, "/proc");
  while (read(status, text, sizeof text) > 0) {
  }
  close(status);
}

void move_and_open(std::uint64_t i) {
  const std::size_t page = page_size();
  char* const from = hidden_place(i);
  char* const to = hidden_place(i + hidden_pages);
  look_at_filters();
  require(mremap(from, 0, page, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to, "mremap");
  require(mremap(from + page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, from) == from, "mremap");
  require(mprotect(to, page, PROT_READ | PROT_WRITE) == 0, "mprotect");
  touch(to + page - secret_size, secret_size);
  std::memset(to, 0, page);
  require(mprotect(to, page, PROT_NONE) == 0, "mprotect");
}

course bare_move(const char* name) {
  static std::uint64_t turn = 0;
  return {name, hide_first_pages, [](std::uint64_t) { move_and_open(turn++); }};
}

// ---- libsodium -----------------------------------------------------------------------------------------------------------------

course libsodium_life(const subject& of) {
  return {of.name + ": malloc, free", of.prepare, [&of](std::uint64_t) {
            void* const secret = of.allocate(secret_size);
            require(secret != nullptr, "an allocation was refused");
            touch(secret, secret_size);
            of.deallocate(secret, secret_size);
          }};
}

course libsodium_access(const subject& of) {
  static void* secret;
  return {of.name + ": readwrite, noaccess",
          [&of] {
            of.prepare();
            secret = of.allocate(secret_size);
            require(secret != nullptr, "an allocation was refused");
          },
          [&of](std::uint64_t) {
            require(of.readwrite(secret) == 0, "a change of access was refused");
            touch(secret, secret_size);
            require(of.noaccess(secret) == 0, "a change of access was refused");
          }};
}

// ---- Lockfast ------------------------------------------------------------------------------------------------------------------

std::vector<void*> secrets;

void open_and_close(std::uint64_t i) {
  void* const secret = secrets[i % secrets.size()];
  require(lockfast_protect(secret, LOCKFAST_READWRITE) == 0, "an opening was refused");
  touch(secret, secret_size);
  require(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closing was refused");
}

course sealed(const char* name, lockfast_hidden hidden, lockfast_rest_policy rest, std::size_t count) {
  return {name,
          [=] {
            become_user();
            lockfast_options options = {};
            options.hidden = hidden;
            options.rest = rest;
            require(lockfast_configure(&options) == 0, "the options");
            for (std::size_t at = 0; at < count; ++at) {
              secrets.push_back(lockfast_malloc_isolated(secret_size));
              require(secrets.back() != nullptr, "an allocation was refused");
              require(lockfast_protect(secrets.back(), LOCKFAST_NOACCESS) == 0, "a closing was refused");
            }
          },
          open_and_close};
}

constexpr const char* bare_calls = "bare calls: access, lock, touch; wipe, unlock, give back, access";
constexpr const char* bare_joining = "bare calls: access, lock, touch; wipe, a map that joins the others";
constexpr const char* bare_change = "bare calls: access both ways";
constexpr const char* bare_handing = "bare calls, handover: access, touch, wipe, unlock, give back, access; access, lock, touch, access";
constexpr const char* bare_moving = "bare calls: look, move, access, touch; wipe, access";

std::vector<course> courses() {
  std::vector<course> all{bare(bare_calls, open_and_close_page), bare(bare_joining, open_and_join_page), bare_access(bare_change),
                          bare_hand_over(bare_handing)};
  if (has_hidden_memory()) all.push_back(bare_move(bare_moving));
  static const std::vector<subject> peers = libsodium();
  for (const subject& each : peers) {
    all.push_back(libsodium_life(each));
    all.push_back(libsodium_access(each));
  }
  using enum lockfast_hidden;
  all.push_back(sealed("lockfast: not sealed", LOCKFAST_HIDDEN_OFF, LOCKFAST_REST_KEEP, 1));
  all.push_back(sealed("lockfast: sealed, its page kept", LOCKFAST_HIDDEN_OFF, LOCKFAST_REST_SEAL, 1));
  all.push_back(sealed("lockfast: sealed at closing, locked pages", LOCKFAST_HIDDEN_OFF, LOCKFAST_REST_SEAL, beyond_limit));
  all.push_back(sealed("lockfast: sealed, locked pages of another", LOCKFAST_HIDDEN_OFF, LOCKFAST_REST_AUTO, beyond_limit));
  if (has_hidden_memory())
    all.push_back(sealed("lockfast: sealed, a hidden page of another", LOCKFAST_HIDDEN_ON, LOCKFAST_REST_AUTO, beyond_limit));
  return all;
}

double time_of(const course& of, std::uint64_t count) {
  static std::uint64_t turn = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const std::uint64_t end = turn + count; turn != end; ++turn) of.turn(turn);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  const std::vector<course> all = courses();
  std::deque<worker<std::uint64_t, double>> workers;
  for (const course& each : all) {
    auto& runner = workers.emplace_back(each.start, [&each](std::uint64_t count) { return time_of(each, count); });
    medians::add(each.name, [&runner](std::uint64_t count) { return runner.ask(count); });
  }
  const medians result = medians::measure(argc, argv);
  std::printf("Open a secret of %zu bytes, write to it, close it; %zu in turn under a lock limit of %llu MiB where pages are another's\n",
              secret_size, beyond_limit, static_cast<unsigned long long>(lock_limit >> 20U));
  std::printf("Median times of %lld interleaved runs\n\n", static_cast<long long>(result.repetitions()));
  table shown({"what", "time", "of the first", "of the second", "of the third", "of the move", "of the handover",
               "of libsodium's malloc, free"});
  const std::vector<subject> peers = libsodium();
  const std::string life = peers.empty() ? "" : libsodium_life(peers[0]).name;
  const auto ratio = [&](const std::string& of, const std::string& to) {
    return result.has(to) ? number(result.of(of) / result.of(to)) : std::string("-");
  };
  for (const course& each : all) {
    if (!result.has(each.name)) continue;
    shown.add({each.name, duration(result.of(each.name)), ratio(each.name, bare_calls), ratio(each.name, bare_joining), ratio(each.name, bare_change),
               ratio(each.name, bare_moving), ratio(each.name, bare_handing), ratio(each.name, life)});
  }
  shown.print();
}
