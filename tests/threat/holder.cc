// holder.cc - makes victims.
#include "holder.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <new>

#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/patience.h"

namespace {

constexpr std::size_t secret_size = 48;  // two marks
constexpr std::size_t large_size = 1 << 20;

unsigned char* bytes(void* from) {
  prove(from != nullptr, "a secret");
  return static_cast<unsigned char*>(from);
}

unsigned char* shared_page() {
  const int descriptor = memfd_create("threat", MFD_CLOEXEC);
  prove(descriptor >= 0 && ftruncate(descriptor, static_cast<off_t>(page_size())) == 0, "a file in memory");
  void* const mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  prove(mapped != MAP_FAILED, "its map");
  return bytes(mapped);  // the descriptor stays open: that is what is attacked
}

}  // namespace

std::string name_of(unsigned kind) {
  constexpr const char* names[kinds] = {
      "ordinary", "shared", "isolated", "isolated, closed", "large", "grouped", "compartment", "closed compartment", "freed"};
  return names[kind];
}

unsigned next_series() {
  static unsigned series = 0;
  return ++series;
}

holding::holding(unsigned of_series) : series(of_series) {
  if (series == 0) return;  // filled in by what the victim sends
  at[ordinary] = bytes(std::malloc(secret_size));
  at[shared] = shared_page();
  at[freed] = bytes(lockfast_malloc_isolated(secret_size));
  at[isolated] = bytes(lockfast_malloc_isolated(secret_size));
  at[isolated_closed] = bytes(lockfast_malloc_isolated(secret_size));
  at[large] = bytes(lockfast_malloc_isolated(large_size));
  at[grouped] = bytes(lockfast_malloc(secret_size));
  opened = lockfast_compartment_create();
  closed = lockfast_compartment_create();
  prove(opened != nullptr && closed != nullptr, "compartments");
  at[compartment] = bytes(lockfast_compartment_malloc(opened, secret_size));
  at[compartment_closed] = bytes(lockfast_compartment_malloc(closed, secret_size));
  for (unsigned kind = 0; kind < kinds; ++kind) {
    of(kind).write(at[kind]);
    if (kind == large) of(kind).write(at[kind] + large_size - mark_size);
  }
  for (const unsigned kind : live_secrets) prove(lockfast_describe(at[kind], &receipts[kind]) == 0, "a receipt");
  for (const unsigned kind : live_secrets) keys[kind] = state_of(at[kind]).key;
  for (const unsigned kind : {grouped, compartment, compartment_closed}) {
    prove(receipts[kind].placement == LOCKFAST_GROUPED, "a grouped secret");
  }
  lockfast_free(at[freed]);
  prove(lockfast_protect(at[isolated_closed], LOCKFAST_NOACCESS) == 0, "no access");
  prove(lockfast_describe(at[isolated_closed], &at_rest) == 0, "a receipt");
  prove(lockfast_compartment_protect(closed, LOCKFAST_NOACCESS) == 0, "no access to a compartment");
}

void holding::open_all() const {
  prove(lockfast_protect(at[isolated_closed], LOCKFAST_READWRITE) == 0, "access");
  prove(lockfast_compartment_protect(closed, LOCKFAST_READWRITE) == 0, "access to a compartment");
}

void holding::free_all() const {
  for (const unsigned kind : live_secrets) lockfast_free(at[kind]);
}

void backing::take_on(const std::string& more_options) const {
  ::options(options + more_options);
  first();
}

std::vector<backing> backings() {
  std::vector<backing> all;
  if (has_hidden_memory()) all.push_back({"hidden", "hidden=on", LOCKFAST_HIDDEN, [] {}});
  if (locks_are_real()) all.push_back({"locked", "hidden=off", LOCKFAST_LOCKED, [] {}});
  all.push_back({"unlocked", "hidden=off,lock=preferred", LOCKFAST_UNLOCKED, [] { become_ordinary(0); }});
  return all;
}

holder::holder(const std::string& options_text, const std::function<void()>& first) : have_(0) {
  int ends[2];
  int life[2];
  if (pipe(ends) != 0 || pipe(life) != 0) return;
  const unsigned series = next_series();
  process_ = fork();
  if (process_ == 0) {
    close(ends[0]);
    close(life[1]);
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(number, SIG_DFL);
    alarm(patience(120));
    options(options_text);
    first();
    (void)prctl(PR_SET_DUMPABLE, 1);
    (void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    const holding mine(series);
    prove(write(ends[1], &mine, sizeof mine) == static_cast<ssize_t>(sizeof mine), "a report");
    char nothing;
    (void)!read(life[0], &nothing, 1);
    _exit(0);
  }
  close(ends[1]);
  close(life[0]);
  lifeline_ = life[1];
  alignas(holding) std::array<unsigned char, sizeof(holding)> sent;
  if (read(ends[0], sent.data(), sent.size()) == static_cast<ssize_t>(sent.size())) {
    have_ = *std::launder(reinterpret_cast<const holding*>(sent.data()));
  }
  out_ = {ends[1], ends[0]};
}

holder::~holder() {
  if (process_ <= 0) return;
  close(out_.our_end);
  close(lifeline_);
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

bool holder::holds(lockfast_backing backing) const {
  if (have_.series == 0) return false;
  bool all = true;
  for (const unsigned kind : live_secrets) all &= have_.receipts[kind].backing == backing;
  return all;
}
