// probe.cc - a touch between two changes of the fault handlers, which jumps back from the fault.
#include "probe.h"

#include <csetjmp>
#include <csignal>

#include "page_state.h"

namespace {

sigjmp_buf before_touch;
const void *volatile touched = nullptr;
const void *volatile touched_page = nullptr;

void fault(int number, siginfo_t *info, void *) {
  if (info->si_addr == touched || info->si_addr == touched_page) siglongjmp(before_touch, 1);
  signal(number, SIG_DFL);
}

class fault_handlers {
 public:
  explicit fault_handlers(const void *byte) {
    touched = byte;
    touched_page = page_of(byte);
    struct sigaction action = {};
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &segv_);
    sigaction(SIGBUS, &action, &bus_);
  }
  ~fault_handlers() {
    sigaction(SIGSEGV, &segv_, nullptr);
    sigaction(SIGBUS, &bus_, nullptr);
  }
  fault_handlers(const fault_handlers &) = delete;
  fault_handlers &operator=(const fault_handlers &) = delete;

 private:
  struct sigaction segv_ = {};
  struct sigaction bus_ = {};
};

template <class Touch>
bool traps(const void *byte, Touch touch) {
  const fault_handlers handlers(byte);
  if (sigsetjmp(before_touch, 1) != 0) return true;
  touch();
  return false;
}

}  // namespace

bool traps_on_read(const void *byte) {
  return traps(byte, [=] { static_cast<void>(*static_cast<const volatile char *>(byte)); });
}

bool traps_on_write(void *byte) {
  auto *target = static_cast<volatile char *>(byte);
  const char value = traps_on_read(byte) ? '\0' : *target;
  return traps(byte, [=] { *target = value; });
}
