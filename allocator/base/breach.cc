// breach.cc - the lines of the catalogue, and the end.
#include "allocator/base/breach.h"

#include <cstring>

#include "platform/platform.h"

namespace lockfast::internal {
namespace {

const char* line_of(breach reason) {
  switch (reason) {
    case breach::broken_canary: return "lockfast: broken canary: bytes beside a secret were changed\n";
    case breach::double_free: return "lockfast: double free: this secret was freed before\n";
    case breach::invalid_pointer: return "lockfast: invalid pointer: not from this allocator\n";
    case breach::interior_pointer: return "lockfast: interior pointer: not the start of a live secret\n";
    case breach::write_after_free: return "lockfast: write after free: a freed secret's bytes were changed\n";
    case breach::sealed_damaged: return "lockfast: sealed secret damaged: its record at rest was changed, moved or replaced\n";
    case breach::access_refused:
      return "lockfast: access refused: the system would not change the access of a secret's pages\n";
    case breach::reentered: return "lockfast: call within a call: a signal handler interrupted the allocator and called it\n";
    case breach::bad_options: return "lockfast: bad options: LOCKFAST_OPTIONS has \n";
    case breach::no_crash_handler: return "lockfast: no crash handler: the system would not install what crash=wipe asks for\n";
    case breach::access_conflict: return "lockfast: access conflict: a writer beside other views of one secret\n";
    case breach::still_open: return "lockfast: still open: a secret was destroyed while views of it were open\n";
    case breach::empty_handle: return "lockfast: empty handle: a secret was used that was moved away\n";
    case breach::stale_compartment: return "lockfast: stale compartment: this handle's compartment was destroyed\n";
  }
  __builtin_unreachable();
}

}  // namespace

void announce(breach reason) { announce(reason, {}); }

// One write: no other thread's line comes in between.
void announce(breach reason, std::span<const char> detail) {
  constexpr std::size_t max_line = 384;
  const char* const words = line_of(reason);
  const std::size_t size = std::strlen(words) - 1;  // without the end of the line
  char line[max_line];
  std::memcpy(line, words, size);
  const std::size_t room = sizeof line - size - 1;
  const std::size_t added = detail.size() < room ? detail.size() : room;
  if (added != 0) std::memcpy(line + size, detail.data(), added);
  line[size + added] = '\n';
  platform::write_line({line, size + added + 1});
  if (const auto call = on_breach.load(); call != nullptr) call({line, size + added});
}

void end_process(breach reason, breach_signal signal) { end_process(reason, {}, signal); }

void end_process(breach reason, std::span<const char> detail, breach_signal signal) {
  announce(reason, detail);
  if (signal == breach_signal::access_violation) platform::raise_access_violation();
  platform::terminate();
}

}  // namespace lockfast::internal
