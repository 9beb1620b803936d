// processor.h - keeps what is compared on one processor: those of a virtual machine are not equally fast.
#ifndef LOCKFAST_BENCH_PROCESSOR_H
#define LOCKFAST_BENCH_PROCESSOR_H

#include <cstddef>

namespace lockfast::bench {

// Has the calling thread, and what it starts, run on one of the processors that the program was allowed at first. Number 0
// is the last of them, which on most systems serves the fewest interrupts; numbers wrap round.
void use_processor(std::size_t number);

}  // namespace lockfast::bench

#endif
