// thread.cc - the clock, and a thread whose handle is closed at once. There are no signals to be blocked.
#include "platform/thread.h"

#include <windows.h>

#include "platform/errno_saver.h"
#include "platform/windows/error.h"

namespace lockfast::platform {
namespace {

using body = void (*)();

DWORD WINAPI run_body(void* argument) {
  reinterpret_cast<body>(argument)();
  return 0;
}

}  // namespace

// Counts the time in sleep and hibernation as well.
std::chrono::nanoseconds elapsed_time() { return std::chrono::milliseconds(GetTickCount64()); }

int start_thread(void (*run)()) {
  const errno_saver kept;
  const HANDLE made = CreateThread(nullptr, 0, run_body, reinterpret_cast<void*>(run), 0, nullptr);
  if (made == nullptr) return last_error();
  (void)CloseHandle(made);
  return 0;
}

}  // namespace lockfast::platform
