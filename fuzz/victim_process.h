// victim_process.h - the forked child in which harm is done, and how it tells what became of it.
//
// A touch that traps counts only when the fault is at the very byte that was touched: a crash anywhere else is `lost`. A
// death counts as a breach only after the harm began, with one line "lockfast: ..." on standard error.
//
// Threads: one, in parent and child.
#ifndef LOCKFAST_FUZZ_VICTIM_PROCESS_H
#define LOCKFAST_FUZZ_VICTIM_PROCESS_H

#include <cstdint>
#include <functional>
#include <string>

namespace lockfast::fuzz {

enum class outcome : int {
  clean = 40,      // no harm was planned, and nothing was reported
  trapped,         // the touch raised SIGSEGV or SIGBUS at its address
  noticed,         // a call returned the error that the header promises
  breached,        // one line "lockfast: ..." and death by a signal
  not_applicable,  // the plan cannot be carried out with what was allocated
  unnoticed,       // the rest are findings
  set_up_refused,
  control_failed,  // something was reported before any harm was done
  wrong_answer,    // a call noticed, with another error than it must
  lost,            // died of something else
};

const char* name_of(outcome result);

// Runs `life` in a child and waits for its end; what the child wrote on standard error goes to `words`.
outcome run_in_child(const std::function<void()>& life, std::string& words);

// For the child: ends it; says that from here on reports are due; touches one byte.
[[noreturn]] void leave(outcome result);
void begin_harm();
void change(std::uint8_t* at, std::uint8_t flip);
void read(const std::uint8_t* at);

}  // namespace lockfast::fuzz

#endif
