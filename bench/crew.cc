// crew.cc - a barrier to sleep at, and a short wait without sleep, so that nobody starts late.
#include "bench/crew.h"

#include <algorithm>

#include "bench/processor.h"

namespace lockfast::bench {

crew::crew(std::size_t threads, std::size_t first_processor)
    : starts_(threads),
      ends_(threads),
      gathered_(static_cast<std::ptrdiff_t>(threads)),
      done_(static_cast<std::ptrdiff_t>(threads)) {
  use_processor(first_processor);
  for (std::size_t index = 1; index < threads; ++index) {
    others_.emplace_back([this, index, first_processor] {
      use_processor(first_processor + index);
      for (;;) {
        gathered_.arrive_and_wait();
        if (work_ == nullptr) return;
        take_part(index);
      }
    });
  }
}

crew::~crew() {
  work_ = nullptr;
  gathered_.arrive_and_wait();
  for (std::thread& other : others_) other.join();
}

void crew::take_part(std::size_t index) {
  ++awake_;
  while (awake_ < size()) std::this_thread::yield();
  starts_[index] = clock::now();
  (*work_)(index);
  ends_[index] = clock::now();
  done_.arrive_and_wait();
}

double crew::run(const job& work) {
  work_ = &work;
  awake_ = 0;
  gathered_.arrive_and_wait();
  take_part(0);
  return std::chrono::duration<double>(*std::ranges::max_element(ends_) - *std::ranges::min_element(starts_)).count();
}

}  // namespace lockfast::bench
