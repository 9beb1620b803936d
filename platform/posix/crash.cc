// crash.cc - fatal signals and the normal end of a process: what is called before anybody else, and who comes next.
//
//    fatal signal --> on_signal --> wipe --> no earlier handler:  the same signal again, by default: the process ends
//                     (others wait)     \--> an earlier handler:  what is wiped is closed, then the handler is called
//
// The handler stays in place: if the earlier one lets the program go on, the next fatal signal finds it again.
//
// While an earlier handler runs, its thread may look at what was wiped: a touch has the page opened, and the handler reads zeros.
// That ends when it returns, or when it leaves by siglongjmp: a signal (SIGURG) is pending and blocked for as long as it runs, so
// the signal mask that siglongjmp restores lets it in.
//
// Threads: any; one wipes at a time, and one at a time is shown what was wiped.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<sys/syscall.h>)
#include <sys/syscall.h>
#endif

#include <atomic>

#include "platform/errno_saver.h"
#include "platform/thread_local.h"
#include "platform/platform.h"

namespace lockfast::platform {
namespace {

constexpr int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
constexpr std::size_t fatal_count = sizeof fatal_signals / sizeof *fatal_signals;

// Sandboxes and debuggers handle these in the ordinary course of a program: a handler that is there already keeps them.
constexpr bool is_routine(int number) { return number == SIGTRAP || number == SIGSYS; }

// Ignored unless somebody handles it, and harmless to whoever does when it comes without a cause.
constexpr int leaving_signal = SIGURG;

crash_calls calls;
struct sigaction earlier_actions[fatal_count];
std::atomic<pid_t> process = 0;

// Its address names the thread.
LOCKFAST_OF_THREAD char own = 0;
const void* this_thread() { return &of_thread(own); }

// The thread that wipes.
std::atomic<const void*> wiper = nullptr;

// A call of an earlier handler, in the frame that made it. Whoever leaves that frame by a jump that tells nobody overwrites it.
struct visit {
  static constexpr std::size_t mark_count = 8;
  volatile std::uint64_t marks[mark_count];
  sigset_t blocked;  // what the handler is to have blocked
  std::atomic<bool> held_back[fatal_count] = {};
};
std::atomic<const void*> visited_thread = nullptr;
std::atomic<visit*> visited = nullptr;
std::uint64_t visit_mark = 0;
struct sigaction earlier_leaving_action;

using plain_handler = void (*)(int);
void on_signal(int number, siginfo_t* information, void* context);

bool is_ours(const struct sigaction& action) { return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_signal; }
bool is(const struct sigaction& action, plain_handler disposition) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == disposition;
}
bool has_flag(const struct sigaction& action, unsigned flag) { return (static_cast<unsigned>(action.sa_flags) & flag) != 0; }
bool has_handler(const struct sigaction& action) { return !is(action, SIG_DFL) && !is(action, SIG_IGN); }

void act(int number, plain_handler disposition) {
  struct sigaction action = {};
  action.sa_handler = disposition;
  (void)sigaction(number, &action, nullptr);
}

std::size_t index_of(int number) {
  std::size_t which = 0;
  while (which + 1 < fatal_count && fatal_signals[which] != number) ++which;
  return which;
}

// Whether a process sent the signal, and no instruction raised it: Linux and OpenBSD have no positive code for that (SI_USER,
// SI_TKILL), macOS and FreeBSD have codes far above those of faults (0x10001 and on).
bool is_sent(const siginfo_t& information) { return information.si_code <= 0 || information.si_code >= 0x10000; }

// Has the signal happen once more, for this thread, as soon as it is not blocked. A fault would by itself, but not a trap, nor
// what a kernel says of memory that fails, and not where another thread mends the cause meanwhile.
void send_again(int number, [[maybe_unused]] const siginfo_t& information) {
#if defined(SYS_rt_tgsigqueueinfo)
  // With all that is known of it: a core file shows the address.
  if (syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), number, &information) == 0) return;
#endif
  (void)raise(number);
}

// Ends the process by the signal's default action, once it is not blocked.
void end_by(int number, const siginfo_t& information) {
  act(number, SIG_DFL);
  send_again(number, information);
}

void pause_a_little() {
  int before = 0;
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  const timespec moment = {0, 1000000};
  (void)nanosleep(&moment, nullptr);
  (void)pthread_setcancelstate(before, &before);
}

void begin_wipe() {
  const void* nobody = nullptr;
  while (!wiper.compare_exchange_strong(nobody, this_thread())) {
    nobody = nullptr;
    pause_a_little();
  }
}
void end_wipe() { wiper = nullptr; }

// ---- Visits -----------------------------------------------------------------------------------------------------------------

void end_visit() {
  calls.close();
  act(leaving_signal, SIG_IGN);  // which drops it where it is pending
  (void)sigaction(leaving_signal, &earlier_leaving_action, nullptr);
  visited = nullptr;
  visited_thread = nullptr;
}

void on_leaving(int) {
  const errno_saver kept;
  if (visited_thread == this_thread()) end_visit();
}

// False when another thread is shown what was wiped, or the program uses the signal.
bool begin_visit(visit& made) {
  const void* nobody = nullptr;
  if (!visited_thread.compare_exchange_strong(nobody, this_thread())) return false;
  struct sigaction action = {};
  action.sa_handler = on_leaving;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  (void)sigfillset(&action.sa_mask);
  if (sigaction(leaving_signal, nullptr, &earlier_leaving_action) != 0 || has_handler(earlier_leaving_action) ||
      sigaction(leaving_signal, &action, nullptr) != 0) {
    visited_thread = nullptr;
    return false;
  }
  for (std::size_t at = 0; at < visit::mark_count; ++at) made.marks[at] = visit_mark + at;
  visited = &made;
  (void)pthread_kill(pthread_self(), leaving_signal);
  return true;
}

// The visit that this thread is in, by its stack; null when it is in none.
visit* current_visit() {
  if (visited_thread != this_thread()) return nullptr;
  visit* const made = visited;
  if (made == nullptr) return nullptr;
  bool inside = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) < reinterpret_cast<uintptr_t>(made);
  for (std::size_t at = 0; inside && at < visit::mark_count; ++at) inside = made->marks[at] == visit_mark + at;
  return inside ? made : nullptr;
}

// Calls a handler with what the system would have blocked.
void call_handler(const struct sigaction& handler, int number, siginfo_t& information, void* context, const sigset_t& before) {
  visit made;
  made.blocked = before;
  for (int each = 1; each < NSIG; ++each) {
    if (sigismember(&handler.sa_mask, each) == 1) (void)sigaddset(&made.blocked, each);
  }
  if ((handler.sa_flags & SA_NODEFER) == 0) (void)sigaddset(&made.blocked, number);
  sigset_t mask = made.blocked;
  const bool shown = sigismember(&before, leaving_signal) == 0 && begin_visit(made);
  if (shown) {
    (void)sigaddset(&mask, leaving_signal);
    (void)sigdelset(&mask, SIGSEGV);
    (void)sigdelset(&mask, SIGBUS);
  }
  (void)pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if ((handler.sa_flags & SA_SIGINFO) != 0) {
    handler.sa_sigaction(number, &information, context);
  } else {
    handler.sa_handler(number);
  }
  sigset_t all;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, nullptr);
  if (!shown) return;
  end_visit();
  for (std::size_t which = 0; which < fatal_count; ++which) {
    if (made.held_back[which]) (void)raise(fatal_signals[which]);
  }
}

// Of a signal in the midst of a visit: true when that is all there is to do.
bool answer_visitor(visit& made, int number, const siginfo_t& information) {
  const bool sent = is_sent(information);
  if (!sent && (number == SIGSEGV || number == SIGBUS) && calls.show(information.si_addr)) return true;
  if (sigismember(&made.blocked, number) != 1) return false;
  if (sent) {
    made.held_back[index_of(number)] = true;
  } else {
    end_by(number, information);  // as the system does with a fault that is blocked
  }
  return true;
}

// Called with every signal blocked.
void answer(int number, siginfo_t& information, void* context, const sigset_t& before) {
  if (visit* const made = current_visit(); made != nullptr && answer_visitor(*made, number, information)) return;
  const std::size_t which = index_of(number);
  struct sigaction earlier = earlier_actions[which];
  // abort() sends first, then does away with whatever holds the signal off.
  const bool by_abort = number == SIGABRT && is_sent(information) && information.si_pid == getpid();
  const bool ignored = is(earlier, SIG_IGN) && is_sent(information);
  if (ignored && !by_abort) return;
  // A child that shares the parent's memory (vfork) must not wipe it.
  const bool wipes = getpid() == process;
  const bool goes_on = ignored || has_handler(earlier);
  bool sound = true;
  if (wipes) {
    begin_wipe();
    sound = calls.wipe(goes_on ? after_wipe::closed : after_wipe::as_before);
    constexpr unsigned once = SA_RESETHAND;
    if (has_flag(earlier, once) && has_handler(earlier)) {
      earlier_actions[which] = {};
      earlier_actions[which].sa_handler = SIG_DFL;
    }
    end_wipe();
  }
  if (!goes_on || !sound) {
    end_by(number, information);
  } else if (!ignored) {
    call_handler(earlier, number, information, context, before);
  }
}

void on_signal(int number, siginfo_t* information, void* context) {
  const errno_saver kept;
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  answer(number, *information, context, before);
}

error install(std::size_t which, const struct sigaction& earlier) {
  earlier_actions[which] = earlier;
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  // Not deferred and nothing blocked: the handler blocks all itself, and so learns what was blocked before.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | (earlier.sa_flags & SA_RESTART);
  return sigaction(fatal_signals[which], &action, nullptr) == 0 ? 0 : errno;
}

}  // namespace

error on_fatal_signal(const crash_calls& chosen) {
  const errno_saver kept;
  calls = chosen;
  process = getpid();
  if (const error refusal = try_random({reinterpret_cast<std::byte*>(&visit_mark), sizeof visit_mark}); refusal != 0)
    return refusal;
  for (std::size_t which = 0; which < fatal_count; ++which) {
    struct sigaction earlier;
    if (sigaction(fatal_signals[which], nullptr, &earlier) != 0) return errno;
    if (is_routine(fatal_signals[which]) && has_handler(earlier)) continue;
    if (const error refusal = install(which, earlier); refusal != 0) return refusal;
  }
  return 0;
}

void renew_fatal_signals() {
  const errno_saver kept;
  for (std::size_t which = 0; which < fatal_count; ++which) {
    struct sigaction now;
    if (sigaction(fatal_signals[which], nullptr, &now) != 0 || is_ours(now)) continue;
    // The handler that was called, put in place again by itself; or none. Any other is the program's new wish.
    const bool same = has_handler(now) && (now.sa_flags & SA_SIGINFO) == (earlier_actions[which].sa_flags & SA_SIGINFO) &&
                      now.sa_handler == earlier_actions[which].sa_handler;
    if (same || !has_handler(now)) (void)install(which, now);
  }
}

void forget_fatal_signal_in_child() {
  if (process == 0) return;
  process = getpid();
  wiper = nullptr;
  if (visited_thread != this_thread()) visited_thread = nullptr;
}

bool in_crash_handler() { return current_visit() != nullptr; }

// exit() of glibc runs what is registered while it runs, and what the destructors of libraries register it runs behind them all.
// Elsewhere this is the moment.
void call_last(void (*call)()) {
#if defined(__GLIBC__)
  extern int register_at_exit(void (*)(void*), void*, void*) __asm__("__cxa_atexit");
  // Not passed as its argument: ThreadSanitizer 19 hands none to what is registered without a library.
  static void (*last)() = nullptr;
  last = call;
  const auto forward = [](void* /*unused*/) { last(); };
  if (register_at_exit(forward, nullptr, nullptr) == 0) return;
#endif
  call();
}

}  // namespace lockfast::platform
