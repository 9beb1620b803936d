// overflow.cc - which strays around a secret are found, and when: each offset within a page of it, each bit, read and write.
//
//    prove_overflow            the table, in Markdown; fails when a stray has another outcome than docs/threat_model.md explains
//    prove_overflow --quick    some of the sizes, no table
//    prove_overflow --skewed   the same against a wrong expectation: must fail
//
// Sizes 0 to 300, and those around one and two pages, in both placements. A touch is tried in this process, under a handler that
// jumps out of the fault. A stray write that does not trap is undone after lockfast_check has been asked of the secret, then of its
// neighbours; of some offsets lockfast_audit is asked too. What free finds ends the process: children try it.
//
// The expectation is computed from where the secret lies, by the rules of docs/design.md, not from what is measured.
#include <lockfast/lockfast.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

constexpr std::uintptr_t reach = 4096;      // bytes on either side
constexpr std::uintptr_t audited_of = 509;  // one offset in so many is audited

// By what finds it: the fault; check and free; lockfast_check alone; a check of the neighbour, hence audit and its free. Else none.
enum outcome : std::size_t { trapped, own_canary, padding, other_canary, missed, outcome_count };
constexpr const char* outcome_name[] = {"trapped at once", "found at check and free", "found at check",
                                        "found at a neighbour's check and free", "missed"};

// ---- Touches ----

sigjmp_buf back;
volatile std::uintptr_t touched;

void on_fault(int, siginfo_t* what, void*) {
  if (reinterpret_cast<std::uintptr_t>(what->si_addr) != touched) _exit(4);
  siglongjmp(back, 1);
}

volatile unsigned char* byte_at(std::uintptr_t address) { return reinterpret_cast<volatile unsigned char*>(address); }

[[gnu::noinline]] bool traps_on_read(std::uintptr_t address) {
  touched = address;
  if (sigsetjmp(back, 0) != 0) return true;
  (void)*byte_at(address);
  return false;
}

[[gnu::noinline]] bool traps_on_write(std::uintptr_t address, unsigned char change) {
  touched = address;
  if (sigsetjmp(back, 0) != 0) return true;
  *byte_at(address) = change;
  return false;
}

const void* pointer(std::uintptr_t address) { return reinterpret_cast<const void*>(address); }

// ---- What is counted ----

struct row {
  const char* placement;
  const char* where;
  std::array<std::size_t, outcome_count> writes{};
  std::array<std::size_t, outcome_count> reads{};
  std::size_t bits = 0;
};

std::size_t unexpected = 0;
bool skewed = false;
bool quick = false;

void judge(const row& in, const char* how, std::size_t size, std::uintptr_t secret, std::uintptr_t at, outcome expected, outcome found) {
  if (skewed && expected == missed) expected = trapped;
  if (found == expected) return;
  if (++unexpected > 10) return;
  std::fprintf(stderr, "%s, %s, %zu bytes, offset %td, %s: %s, expected: %s\n", in.placement, in.where, size,
               static_cast<std::ptrdiff_t>(at - secret), how, outcome_name[found], outcome_name[expected]);
}

// Tries every stray at one byte. Expect and find give the outcome of a write that does not trap.
template <class Find>
void try_byte(row& in, std::size_t size, std::uintptr_t secret, std::uintptr_t at, outcome expected, Find find) {
  const bool read_traps = traps_on_read(at);
  const outcome read = read_traps ? trapped : missed;
  ++in.reads[read];
  judge(in, "read", size, secret, at, expected == trapped ? trapped : missed, read);
  const unsigned char before = read_traps ? 0 : *byte_at(at);
  // Each bit, then all of them. Where one write traps, each does.
  for (unsigned change = 0; change <= 8; ++change) {
    const auto mask = static_cast<unsigned char>(change == 8 ? 0xff : 1U << change);
    const bool traps = traps_on_write(at, static_cast<unsigned char>(before ^ mask));
    const outcome found = traps ? trapped : find(at);
    if (!traps && change == 8 && at % audited_of == 0 && lockfast_audit() != (found == missed ? 0 : 1)) {
      ++unexpected;
      std::fprintf(stderr, "%s, %s, %zu bytes: lockfast_audit and lockfast_check disagree\n", in.placement, in.where, size);
    }
    if (!traps) *byte_at(at) = before;
    if (change == 8) ++in.writes[found];
    ++in.bits;
    judge(in, change == 8 ? "write of a byte" : "write of a bit", size, secret, at, expected, found);
    if (traps && change < 8) change = 7;
  }
}

std::vector<std::size_t> sizes() {
  if (skewed) return {0, 32};
  if (quick) return {0, 1, 15, 16, 17, 32, 33, 129, 300, 4079, 4080, 4081, 4096};
  std::vector<std::size_t> all;
  for (std::size_t size = 0; size <= 300; ++size) all.push_back(size);
  for (std::size_t pages = 1; pages <= 2; ++pages) {
    for (std::size_t size = pages * 4096 - 20; size <= pages * 4096 + 20; ++size) all.push_back(size);
  }
  return all;
}

// ---- Isolated ----

void measure_isolated(row& before, row& after) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (const std::size_t size : sizes()) {
    void* const one = lockfast_malloc_isolated(size);
    if (one == nullptr) _exit(3);
    const auto secret = reinterpret_cast<std::uintptr_t>(one);
    const std::uintptr_t run = (secret - 16) / page * page;
    const auto find = [&](std::uintptr_t at) {
      if (lockfast_check(one) == 0) return missed;
      return at >= secret - 16 ? own_canary : padding;
    };
    for (std::uintptr_t at = secret - reach; at < secret; ++at) {
      try_byte(before, size, secret, at, at < run ? trapped : at < secret - 16 ? padding : own_canary, find);
    }
    for (std::uintptr_t at = secret + size; at <= secret + size + reach - 1; ++at) try_byte(after, size, secret, at, trapped, find);
    lockfast_free(one);
  }
}

// ---- Grouped ----

// Live secrets of one size, and of those the ones of a slab that is full, in order.
class full_slab {
 public:
  explicit full_slab(std::size_t size) : page_(static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE))) {
    // A slab has at most 256 KiB; three of them hold one that is full, or thirty.
    for (std::size_t round = 0; round < 30 && last_ == 0; ++round) {
      for (std::size_t bytes = 0; bytes < 256 * 1024; bytes += size + 32) {
        void* const one = lockfast_malloc(size);
        if (one == nullptr) _exit(3);
        live_.push_back(reinterpret_cast<std::uintptr_t>(one));
      }
      std::sort(live_.begin(), live_.end());
      find();
    }
    if (last_ == 0) _exit(3);
  }
  ~full_slab() {
    for (const std::uintptr_t one : live_) lockfast_free(reinterpret_cast<void*>(one));
    (void)lockfast_trim();
  }
  full_slab(const full_slab&) = delete;
  full_slab& operator=(const full_slab&) = delete;

  [[nodiscard]] std::uintptr_t stride() const { return stride_; }
  [[nodiscard]] std::uintptr_t first() const { return live_[first_]; }
  [[nodiscard]] std::uintptr_t middle() const { return live_[first_ + (last_ - first_) / 2]; }
  [[nodiscard]] std::uintptr_t last() const { return live_[last_]; }

 private:
  void find() {
    stride_ = ~std::uintptr_t{0};
    for (std::size_t at = 1; at < live_.size(); ++at) stride_ = std::min(stride_, live_[at] - live_[at - 1]);
    for (std::size_t at = 0; at < live_.size(); ++at) {
      if (!traps_on_read(live_[at] - 17)) continue;
      std::size_t end = at;
      while (end + 1 < live_.size() && live_[end + 1] == live_[end] + stride_) ++end;
      const std::uintptr_t rest = live_[end] + stride_;
      if (end > at + 2 && end_of_place(live_[at], rest)) {
        first_ = at;
        last_ = end;
        return;
      }
    }
  }
  // Whether no other slot fits in the place, which is 64 KiB or 256 KiB with a guard page.
  [[nodiscard]] bool end_of_place(std::uintptr_t first, std::uintptr_t rest) const {
    const std::uintptr_t place = stride_ <= 1024 + 16 ? 64 * 1024 : 256 * 1024;
    const std::uintptr_t end = first - 16 + place - page_;
    return rest - 8 + stride_ > end;
  }

  std::uintptr_t page_;
  std::vector<std::uintptr_t> live_;
  std::uintptr_t stride_ = 0;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
};

void measure_grouped(row& inside, row& edge) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (const std::size_t size : sizes()) {
    const full_slab slab(size);
    const std::uintptr_t stride = slab.stride();
    const std::uintptr_t begin = slab.first() - 8;
    const std::uintptr_t end = slab.last() + stride - 8;
    const std::uintptr_t opened = (end + page - 1) / page * page;
    const auto measure = [&](row& in, std::uintptr_t secret) {
      const auto find = [&](std::uintptr_t at) {
        if (lockfast_check(pointer(secret)) != 0) return own_canary;
        const std::uintptr_t near = at < begin ? slab.first() : std::min(slab.last(), slab.first() + (at - begin) / stride * stride);
        for (const std::uintptr_t one : {near, std::max(slab.first(), near - stride), std::min(slab.last(), near + stride)}) {
          if (lockfast_check(pointer(one)) != 0) return other_canary;
        }
        return missed;
      };
      const auto expected = [&](std::uintptr_t at) {
        if (at < begin - 8 || at >= opened) return trapped;
        if (at < begin || at >= end) return missed;
        const std::uintptr_t slot = begin + (at - begin) / stride * stride;
        if (at >= slot + 8 && at < slot + 8 + size) return missed;
        return slot + 8 == secret ? own_canary : other_canary;
      };
      for (std::uintptr_t at = secret - reach; at < secret; ++at) try_byte(in, size, secret, at, expected(at), find);
      for (std::uintptr_t at = secret + size; at < secret + size + reach; ++at) try_byte(in, size, secret, at, expected(at), find);
    };
    measure(inside, slab.middle());
    measure(edge, slab.first());
    measure(edge, slab.last());
  }
}

// ---- Free ----

// Whether free ends a process in which the byte at an offset from a secret was changed.
bool free_finds(void* (*allocate)(std::size_t), std::size_t size, std::ptrdiff_t offset) {
  const pid_t child = fork();
  if (child < 0) _exit(3);
  if (child == 0) {
    (void)signal(SIGABRT, SIG_DFL);
    (void)close(2);
    auto* const secret = static_cast<unsigned char*>(allocate(size));
    if (secret == nullptr) _exit(3);
    *byte_at(reinterpret_cast<std::uintptr_t>(secret) + static_cast<std::uintptr_t>(offset)) =
        static_cast<unsigned char>(~*byte_at(reinterpret_cast<std::uintptr_t>(secret) + static_cast<std::uintptr_t>(offset)));
    lockfast_free(secret);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) != 0)) _exit(3);
  return WIFSIGNALED(status);
}

std::size_t tried_by_free = 0;

void expect_free(void* (*allocate)(std::size_t), const char* placement, std::size_t size, std::ptrdiff_t offset, bool finds) {
  ++tried_by_free;
  if (free_finds(allocate, size, offset) == finds) return;
  ++unexpected;
  std::fprintf(stderr, "%s, %zu bytes, offset %td: free finds it %s\n", placement, size, offset, finds ? "not" : "after all");
}

// Before this process has used the library, so that each child starts it.
void measure_free() {
  for (std::size_t size = 0; size <= 300; size += quick ? 7 : 1) {
    const auto behind = static_cast<std::ptrdiff_t>(size);
    expect_free(lockfast_malloc_isolated, "isolated", size, size % 2 == 0 ? -1 : -16, true);
    if (size % 16 == 0) expect_free(lockfast_malloc_isolated, "isolated", size, -17, false);
    expect_free(lockfast_malloc, "grouped", size, size % 2 == 0 ? -1 : -8, true);
    expect_free(lockfast_malloc, "grouped", size, behind, true);
    if (size % 8 == 0) expect_free(lockfast_malloc, "grouped", size, behind + 7, true);
  }
}

void print(const row& in, const char* how, const std::array<std::size_t, outcome_count>& counts) {
  std::printf("| %s | %s | %s |", in.placement, in.where, how);
  for (const std::size_t count : counts) std::printf(" %zu |", count);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  skewed = argc > 1 && std::string_view(argv[1]) == "--skewed";
  quick = skewed || (argc > 1 && std::string_view(argv[1]) == "--quick");
  measure_free();

  static std::array<unsigned char, 1 << 16> stack;
  const stack_t other = {.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (sigaltstack(&other, nullptr) != 0 || sigaction(SIGSEGV, &action, nullptr) != 0 || sigaction(SIGBUS, &action, nullptr) != 0) return 3;

  row before{.placement = "isolated", .where = "in front"};
  row after{.placement = "isolated", .where = "past the end"};
  row inside{.placement = "grouped", .where = "in the middle of a slab"};
  row edge{.placement = "grouped", .where = "first and last of a slab"};
  measure_isolated(before, after);
  measure_grouped(inside, edge);

  if (!quick) {
    std::printf("| placement | where | stray | trapped at once | found at its check and free | found at its check "
                "| found at a neighbour's check and free | missed |\n|---|---|---|---|---|---|---|---|\n");
  }
  std::size_t tried = 0;
  for (const row* one : {&before, &after, &inside, &edge}) {
    if (!quick) print(*one, "write", one->writes);
    if (!quick) print(*one, "read", one->reads);
    tried += one->bits;
    for (const std::size_t count : one->reads) tried += count;
  }
  std::fprintf(stderr, "%zu strays tried, %zu more by free, %zu not as explained\n", tried, tried_by_free, unexpected);
  return unexpected == 0 ? 0 : 1;
}
