// processor.h - keeps what is compared on one processor: those of a virtual machine are not equally fast.
#ifndef LOCKFAST_BENCH_PROCESSOR_H
#define LOCKFAST_BENCH_PROCESSOR_H

#include <cstddef>

namespace lockfast::bench {

// Has the calling thread, and what it starts, run on one of the processors that the program was allowed at first. Number 0
// is the last of them, which on most systems serves the fewest interrupts; numbers wrap round.
void use_processor(std::size_t number);

// What others do with the system's processors meanwhile: programs that are none of ours, and the host's other guests. Figures
// taken beside much of it are worth little.
class other_work {
 public:
  other_work();

  // The part of all processors' time since this was made that went to others. Our own is that of the process and of its
  // children that are still there.
  [[nodiscard]] double share() const;

 private:
  struct ticks {
    double all;
    double busy;
    double ours;
  };

  [[nodiscard]] static ticks now();

  ticks before_;
};

}  // namespace lockfast::bench

#endif
