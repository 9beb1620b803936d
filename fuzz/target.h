// target.h - what every fuzz target has besides its entry: the count of each kind of thing it did, and its way to report.
//
// The replay of a corpus fails when a kind was never executed, so that a corpus cannot rot unseen.
#ifndef LOCKFAST_FUZZ_TARGET_H
#define LOCKFAST_FUZZ_TARGET_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::fuzz {

struct kind {
  const char* name;
  std::uint64_t count;
};

// Every kind of the linked target, with how often it was executed in this process. Defined by the target.
std::span<const kind> kinds();

// Prints one line that says where library and model disagree, and aborts: a finding.
[[noreturn]] [[gnu::format(printf, 1, 2)]] void disagree(const char* format, ...);

}  // namespace lockfast::fuzz

// Runs one input; 0. Defined by the target, called by libFuzzer or by replay.cc.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

#endif
