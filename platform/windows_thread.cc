// windows_thread.cc - a thread whose handle is closed at once. There are no signals to be blocked.
#include "platform/thread.h"

#include <windows.h>

#include "platform/errno_kept.h"
#include "platform/windows_error.h"

namespace lockfast::platform {
namespace {

using body = void (*)();

DWORD WINAPI run_body(void* argument) {
  reinterpret_cast<body>(argument)();
  return 0;
}

}  // namespace

int start_thread(void (*run)()) {
  const errno_kept kept;
  const HANDLE made = CreateThread(nullptr, 0, run_body, reinterpret_cast<void*>(run), 0, nullptr);
  if (made == nullptr) return last_error();
  (void)CloseHandle(made);
  return 0;
}

}  // namespace lockfast::platform
