// breach.cc - the lines of the catalogue, and the end.
#include "allocator/breach.h"

#include <cstring>

#include "platform/platform.h"

namespace lockfast::internal {
namespace {

const char* line_of(breach reason) {
  switch (reason) {
    case breach::broken_canary: return "lockfast: broken canary: bytes beside a secret were changed\n";
    case breach::double_free: return "lockfast: double free: this secret was freed before\n";
    case breach::foreign_pointer: return "lockfast: foreign pointer: not from this allocator\n";
    case breach::inner_pointer: return "lockfast: inner pointer: not the start of a live secret\n";
    case breach::write_after_free: return "lockfast: write after free: a freed secret's bytes were changed\n";
    case breach::access_refused:
      return "lockfast: access refused: the system would not change the access of a secret's pages\n";
    case breach::bad_options: return "lockfast: bad options: LOCKFAST_OPTIONS has an unknown key or value\n";
    case breach::no_crash_handler: return "lockfast: no crash handler: the system would not install what crash=wipe asks for\n";
    case breach::access_conflict: return "lockfast: access conflict: a writer beside other views of one secret\n";
    case breach::still_open: return "lockfast: still open: a secret was destroyed while views of it were open\n";
    case breach::empty_handle: return "lockfast: empty handle: a secret was used that was moved away\n";
    case breach::stale_compartment: return "lockfast: stale compartment: this handle's compartment was destroyed\n";
  }
  __builtin_unreachable();
}

}  // namespace

void announce(breach reason) {
  const char* const line = line_of(reason);
  platform::write_line({line, std::strlen(line)});
}

void end_process(breach reason, breach_signal signal) {
  announce(reason);
  if (signal == breach_signal::access_violation) platform::raise_access_violation();
  platform::terminate();
}

}  // namespace lockfast::internal
