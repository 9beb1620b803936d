// process.cc - what is the process's and not the memory's on Windows: mutex, the ends of threads, messages, the end.
//
// There is no fork. A fatal signal is an exception that nobody handled, or SIGABRT of the C library; what ends a process without
// either (a fast fail, TerminateProcess, a stack that has overflowed too far) calls nobody.
#include <windows.h>

#include <atomic>
#include <csignal>

#include "platform/errno_saver.h"
#include "platform/platform.h"
#include "platform/windows/error.h"

namespace lockfast::platform {
namespace {

SRWLOCK* native(void*& word) { return reinterpret_cast<SRWLOCK*>(&word); }
static_assert(sizeof(SRWLOCK) == sizeof(void*));

using signal_action = void (*)(int);

bool is_function(signal_action action) { return action != SIG_DFL && action != SIG_IGN && action != SIG_ERR; }

crash_calls calls;
// The thread that wipes; 0: none.
std::atomic<DWORD> wiper = 0;
LPTOP_LEVEL_EXCEPTION_FILTER earlier_filter;

constexpr int fatal_signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGABRT};
constexpr std::size_t fatal_count = sizeof fatal_signals / sizeof *fatal_signals;
signal_action earlier_actions[fatal_count];

// Others wait; a fault within the wipe goes its way.
void wipe(after_wipe leaves) {
  const DWORD me = GetCurrentThreadId();
  for (DWORD other = 0; !wiper.compare_exchange_strong(other, me); other = 0) {
    if (other == me) return;
    Sleep(1);
  }
  (void)calls.wipe(leaves);
  wiper = 0;
}

// The exceptions that stand for the signals of platform.h.
bool is_fatal(DWORD code) {
  switch (code) {
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_IN_PAGE_ERROR:
    case EXCEPTION_GUARD_PAGE:
    case EXCEPTION_BREAKPOINT:
    case EXCEPTION_STACK_OVERFLOW:
    case EXCEPTION_DATATYPE_MISALIGNMENT:
    case EXCEPTION_ILLEGAL_INSTRUCTION:
    case EXCEPTION_PRIV_INSTRUCTION:
    case EXCEPTION_INT_DIVIDE_BY_ZERO:
    case EXCEPTION_INT_OVERFLOW:
    case EXCEPTION_FLT_DIVIDE_BY_ZERO:
    case EXCEPTION_FLT_INVALID_OPERATION:
    case EXCEPTION_FLT_OVERFLOW: return true;
    default: return false;
  }
}

// Last of all: what a program handles itself does not come here.
LONG CALLBACK on_unhandled(EXCEPTION_POINTERS* raised) {
  if (is_fatal(raised->ExceptionRecord->ExceptionCode)) wipe(after_wipe::as_before);
  return earlier_filter == nullptr ? EXCEPTION_CONTINUE_SEARCH : earlier_filter(raised);
}

// The C library calls the program's handlers of signals before that, from a frame around main: these are called by way of us. It
// has put the default back by then, so a handler that goes on is called once: renew_fatal_signals() takes the next one.
void on_signal(int number) {
  wipe(after_wipe::as_before);
  for (std::size_t which = 0; which < fatal_count; ++which) {
    if (fatal_signals[which] != number || !is_function(earlier_actions[which])) continue;
    earlier_actions[which](number);
    // It returned: what is zeros now is out of reach from here on.
    wipe(after_wipe::closed);
  }
}

void (*exit_call)();
DWORD exit_index = FLS_OUT_OF_INDEXES;

void WINAPI on_exit_of_thread(void*) { exit_call(); }

}  // namespace

void mutex::lock() { AcquireSRWLockExclusive(native(native_)); }
void mutex::unlock() { ReleaseSRWLockExclusive(native(native_)); }
bool mutex::try_lock() { return TryAcquireSRWLockExclusive(native(native_)) != 0; }

// Where the program has no handler the signal keeps its default, which for a fault is to be an exception that nobody handles;
// but abort() asks for nothing else than a handler.
error on_fatal_signal(const crash_calls& chosen) {
  const errno_saver kept;
  calls = chosen;
  for (std::size_t which = 0; which < fatal_count; ++which) {
    const signal_action now = std::signal(fatal_signals[which], on_signal);
    if (now == SIG_ERR) return EINVAL;
    if (now != on_signal) earlier_actions[which] = now;
    const bool wanted = is_function(earlier_actions[which]) || fatal_signals[which] == SIGABRT;
    if (!wanted) (void)std::signal(fatal_signals[which], earlier_actions[which]);
  }
  const LPTOP_LEVEL_EXCEPTION_FILTER filter = SetUnhandledExceptionFilter(on_unhandled);
  if (filter != on_unhandled) earlier_filter = filter;
  return 0;
}

void renew_fatal_signals() { (void)on_fatal_signal(crash_calls(calls)); }
void forget_fatal_signal_in_child() {}
bool in_crash_handler() { return false; }

void call_last(void (*call)()) { call(); }

// At any later moment a thread could hold what the system takes for this, and wait for one that wants a mutex of ours.
void stay_loaded() {
  constexpr DWORD how = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  HMODULE module;
  (void)GetModuleHandleExW(how, reinterpret_cast<const wchar_t*>(&stay_loaded), &module);
}

void at_fork(void (*)(), void (*)(), void (*)()) {}

error at_thread_exit(void (*call)()) {
  exit_call = call;
  exit_index = FlsAlloc(on_exit_of_thread);
  return exit_index == FLS_OUT_OF_INDEXES ? last_error() : 0;
}

// Any value that is not null has the callback called.
void expect_thread_exit() {
  if (exit_index != FLS_OUT_OF_INDEXES) (void)FlsSetValue(exit_index, &exit_index);
}

void write_line(std::span<const char> line) {
  const HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
  while (!line.empty()) {
    DWORD written = 0;
    if (WriteFile(out, line.data(), static_cast<DWORD>(line.size()), &written, nullptr) == 0 || written == 0) return;
    line = line.subspan(written);
  }
}

// As abort() does, whoever waits for SIGABRT is called; but its message would be a second line, and its exit status 3 no crash,
// which a debugger or Windows Error Reporting could show.
void terminate() {
  const signal_action waiting = std::signal(SIGABRT, SIG_DFL);
  if (is_function(waiting)) waiting(SIGABRT);
  constexpr unsigned fatal_application_exit = 7;  // winnt.h, FAST_FAIL_FATAL_APP_EXIT
  __asm__ volatile("int $0x29" : : "c"(fatal_application_exit));
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(STATUS_STACK_BUFFER_OVERRUN));
  __builtin_unreachable();
}

// To be gone on behind is up to a handler, as after a signal.
void raise_access_violation() {
  const ULONG_PTR nowhere[] = {0, 0};  // a read of address 0
  RaiseException(static_cast<DWORD>(EXCEPTION_ACCESS_VIOLATION), 0, 2, nowhere);
}

void yield() { (void)SwitchToThread(); }
void sleep_briefly() { Sleep(1); }

}  // namespace lockfast::platform
