// stack_test.cc - how much stack the C interface takes: a fiber with little of it may call every function, the first time too.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<gnu/libc-version.h>)
#include <ucontext.h>
#define LOCKFAST_HAS_FIBERS 1
#endif

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "support/child.h"
#include "support/page_state.h"
#include "support/sanitized.h"

#if defined(LOCKFAST_HAS_FIBERS) && defined(__OPTIMIZE__)
namespace {

constexpr std::size_t max_stack = 4096;
constexpr std::size_t own_frames = 1024;  // of this test, and of what the C library puts below a fiber's first one
constexpr unsigned char paint = 0x5c;

ucontext_t caller;
ucontext_t fiber;
void (*deed)();
unsigned char* entry;

void start() {
  entry = static_cast<unsigned char*>(__builtin_frame_address(0));
  deed();
}

// Runs a deed on a stack whose end lies before a guard page; how deep it went.
std::size_t depth_of(void (*act)()) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t size = (max_stack + own_frames + page - 1) / page * page;
  auto* const mapped = static_cast<unsigned char*>(mmap(nullptr, size + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  prove(mapped != MAP_FAILED && mprotect(mapped + page, size, PROT_READ | PROT_WRITE) == 0, "a stack");
  unsigned char* const low = mapped + page;
  std::memset(low, paint, size);
  prove(getcontext(&fiber) == 0, "a context");
  fiber.uc_stack.ss_sp = low;
  fiber.uc_stack.ss_size = max_stack + own_frames;
  fiber.uc_link = &caller;
  deed = act;
  makecontext(&fiber, start, 0);
  prove(swapcontext(&caller, &fiber) == 0, "a fiber");
  std::size_t untouched = 0;
  while (low[untouched] == paint) ++untouched;
  return static_cast<std::size_t>(entry - (low + untouched));
}

void* secret;
struct lockfast_compartment* keys;

void ready(bool isolated) {
  secret = isolated ? lockfast_malloc_isolated(100) : lockfast_malloc(100);
  prove(secret != nullptr, "a secret");
}

struct call {
  const char* name;
  void (*before)();  // on the ordinary stack
  void (*act)();     // on the fiber's
};

constexpr std::size_t too_much = sizeof(void*) < 8 ? SIZE_MAX / 2 : static_cast<std::size_t>(1ULL << 40);

constexpr call calls[] = {
    {"malloc", [] {}, [] { secret = lockfast_malloc(32); }},
    {"malloc of 5000", [] {}, [] { secret = lockfast_malloc(5000); }},
    {"malloc of 100000", [] {}, [] { secret = lockfast_malloc(100000); }},
    {"malloc of 32 MiB", [] {}, [] { secret = lockfast_malloc(std::size_t{32} << 20); }},
    {"malloc of too much", [] {}, [] { (void)!lockfast_malloc(too_much); }},
    {"malloc_isolated", [] {}, [] { secret = lockfast_malloc_isolated(32); }},
    {"calloc", [] {}, [] { secret = lockfast_calloc(3, 100); }},
    {"aligned_alloc", [] {}, [] { secret = lockfast_aligned_alloc(65536, 100); }},
    {"realloc, grouped", [] { ready(false); }, [] { secret = lockfast_realloc(secret, 40000); }},
    {"realloc, isolated", [] { ready(true); }, [] { secret = lockfast_realloc(secret, 40000); }},
    {"free, grouped", [] { ready(false); }, [] { lockfast_free(secret); }},
    {"free, isolated", [] { ready(true); }, [] { lockfast_free(secret); }},
    {"size", [] { ready(true); }, [] { (void)lockfast_size(secret); }},
    {"protect", [] { ready(true); }, [] { (void)lockfast_protect(secret, LOCKFAST_NOACCESS); }},
    {"check", [] { ready(true); }, [] { (void)lockfast_check(secret); }},
    {"audit", [] { ready(true); }, [] { (void)lockfast_audit(); }},
    {"trim",
     [] {
       for (int count = 0; count < 200; ++count) lockfast_free(lockfast_malloc(32));
       lockfast_free(lockfast_malloc_isolated(200000));
     },
     [] { (void)lockfast_trim(); }},
    {"describe", [] { ready(true); },
     [] {
       lockfast_receipt receipt;
       (void)lockfast_describe(secret, &receipt);
     }},
    {"statistics", [] { ready(true); },
     [] {
       struct lockfast_statistics now;
       lockfast_get_statistics(&now);
     }},
    {"report",
     [] {
       prove(set_variable("LOCKFAST_OPTIONS", "report_map=on,report_addresses=on"), "the variable");
       ready(true);
       prove(lockfast_malloc(32) != nullptr, "a grouped one");
     },
     [] { (void)lockfast_report(-1); }},
    {"configure", [] {},
     [] {
       const lockfast_options options = {};
       (void)lockfast_configure(&options);
     }},
    {"wipe_all", [] { ready(true); }, [] { lockfast_wipe_all(); }},
    {"compartment_create", [] {}, [] { keys = lockfast_compartment_create(); }},
    {"compartment", [] {},
     [] {
       keys = lockfast_compartment_create();
       secret = lockfast_compartment_malloc(keys, 100);
       (void)lockfast_compartment_protect(keys, LOCKFAST_NOACCESS);
       lockfast_free(secret);
       secret = lockfast_compartment_malloc(keys, 40000);
       lockfast_compartment_destroy(keys);
     }},
    {"mlock", [] {},
     [] {
       static char bytes[100];
       (void)lockfast_mlock(bytes, sizeof bytes);
       (void)lockfast_munlock(bytes, sizeof bytes);
     }},
    {"wipe, equal, random", [] {},
     [] {
       static char bytes[100];
       lockfast_random(bytes, sizeof bytes);
       lockfast_wipe(bytes, sizeof bytes);
       (void)!lockfast_equal(bytes, bytes, sizeof bytes);
     }},
    {"a batch for a thread and back", [] { ready(false); },
     [] {
       static void* held[300];
       for (void*& each : held) each = lockfast_malloc(16);
       for (void* const each : held) lockfast_free(each);
     }},
    {"refusals at the lock limit",
     [] {
       const rlimit limit{0, 0};
       prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "a limit");
       if (geteuid() == 0) prove(setgid(65534) == 0 && setuid(65534) == 0, "another user");
     },
     [] {
       (void)!lockfast_malloc(32);
       (void)!lockfast_malloc_isolated(32);
       (void)!lockfast_malloc_isolated(100000);
     }},
    {"fork, and its handlers",
     [] {
       ready(true);
       prove(lockfast_malloc(32) != nullptr, "a grouped one");
     },
     [] {
       const pid_t child = fork();
       if (child == 0) _exit(0);
       int status = -1;
       (void)waitpid(child, &status, 0);
       promised(status == 0, "a child that lives");
     }},
};

// Each ends the process by SIGABRT; over the end of the stack it would be SIGSEGV.
constexpr call breaches[] = {
    {"double free", [] { ready(false); },
     [] {
       lockfast_free(secret);
       lockfast_free(secret);
     }},
    {"broken canary", [] { ready(true); },
     [] {
       static_cast<char*>(secret)[-1] ^= 1;
       lockfast_free(secret);
     }},
    {"invalid pointer", [] {}, [] { lockfast_free(&keys); }},
    {"bad options", [] { prove(set_variable("LOCKFAST_OPTIONS", "lock=maybe"), "the variable"); },
     [] { secret = lockfast_malloc(32); }},
    {"breach", [] {}, [] { lockfast_breach(LOCKFAST_STILL_OPEN); }},
};

}  // namespace

TEST_CASE("every function of the C interface takes at most 4 KiB of stack, the first time too") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer's frames are larger");
    return;
  }
  // Signals on a fiber's stack end QEMU 7.2 by its own assertion; and a frame of s390x takes 160 bytes at least.
  if (!asks_for_own_process("the depth of the stack")) return;
  for (const char* const options : {"", "fork=inherit,freed=recycle,crash=wipe", "hidden=off,fork=inherit"}) {
    for (const call& one : calls) {
      CAPTURE(options);
      CAPTURE(one.name);
      const ending end = in_child([&] {
        prove(set_variable("LOCKFAST_OPTIONS", options), "the variable");
        one.before();
        const std::size_t depth = depth_of(one.act);
        const std::string text = std::to_string(depth) + " bytes: " + one.name + "\n";
        if (depth > max_stack || std::getenv("LOCKFAST_TELL_STACK") != nullptr) say(text.c_str());
        promised(depth <= max_stack, "at most 4 KiB");
      });
      CAPTURE(end.text);
      CAPTURE(end.signal);
      CHECK(end.clean());
      if (std::getenv("LOCKFAST_TELL_STACK") != nullptr) MESSAGE(end.text);
    }
  }
  for (const call& one : breaches) {
    CAPTURE(one.name);
    const ending end = in_child([&] {
      one.before();
      (void)depth_of(one.act);
    });
    CAPTURE(end.text);
    CHECK(end.signal == SIGABRT);
    CHECK(end.said("lockfast: "));
  }
}
#endif
