// probe_windows.cc - a touch behind a vectored handler, which jumps back from the fault, without a frame to unwind to: between the
// two lie those of the system's dispatcher.
#include <windows.h>

#include <csetjmp>

#include "probe.h"

namespace {

jmp_buf before_touch;
const void* volatile touched = nullptr;

LONG CALLBACK fault(EXCEPTION_POINTERS* raised) {
  const EXCEPTION_RECORD& record = *raised->ExceptionRecord;
  const bool ours = record.ExceptionCode == static_cast<DWORD>(EXCEPTION_ACCESS_VIOLATION) &&
                    record.ExceptionInformation[1] == reinterpret_cast<ULONG_PTR>(touched);
  if (ours) std::longjmp(before_touch, 1);
  return EXCEPTION_CONTINUE_SEARCH;
}

class fault_handler {
 public:
  explicit fault_handler(const void* byte) {
    touched = byte;
    handle_ = AddVectoredExceptionHandler(1, fault);
  }
  ~fault_handler() { (void)RemoveVectoredExceptionHandler(handle_); }
  fault_handler(const fault_handler&) = delete;
  fault_handler& operator=(const fault_handler&) = delete;

 private:
  void* handle_;
};

// Not inlined, and without objects: nothing is kept in registers over the jump.
[[gnu::noinline]] bool touch_traps(const volatile char* byte, volatile char* written) {
  if (_setjmp(before_touch, nullptr) != 0) return true;
  const char value = byte != nullptr ? *byte : '\0';
  if (written != nullptr) *written = value;
  return false;
}

}  // namespace

bool traps_on_read(const void* byte) {
  const fault_handler handler(byte);
  return touch_traps(static_cast<const volatile char*>(byte), nullptr);
}

bool traps_on_write(void* byte) {
  auto* const target = static_cast<volatile char*>(byte);
  const bool readable = !traps_on_read(byte);
  const fault_handler handler(byte);
  return touch_traps(readable ? target : nullptr, target);
}
