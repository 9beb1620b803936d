// coverage.h - brings a forked child's coverage back to libFuzzer; does nothing in a build without coverage counters.
//
// The counters of edges are private to each process. libFuzzer also reads the section __libfuzzer_extra_counters: here it
// is memory that parent and child share, and the child adds its counters to it before it dies.
//
// Threads: one.
#ifndef LOCKFAST_FUZZ_COVERAGE_H
#define LOCKFAST_FUZZ_COVERAGE_H

namespace lockfast::fuzz {

// In the parent, once, before the first fork.
void share_coverage();

// In the child, first thing: forgets what the parent covered.
void restart_coverage();

// In the child, before it dies. Async-signal-safe.
void publish_coverage();

}  // namespace lockfast::fuzz

#endif
