// carry_out.h - carries a plan out in a process of its own, and compares library, kernel and model at each pause.
#ifndef LOCKFAST_TESTS_STRESS_CARRY_OUT_H
#define LOCKFAST_TESTS_STRESS_CARRY_OUT_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "stress/configuration.h"
#include "stress/plan.h"

namespace lockfast::stress {

struct outcome {
  bool agreed = false;
  std::string text;        // what the process said at its end
  std::size_t phases = 0;  // that it came through
};

[[nodiscard]] outcome carry_out(const plan& whole, const configuration& in, std::size_t places);

// An endless plan, for so long; besides all else, nothing that the process holds may grow after the first half.
[[nodiscard]] outcome carry_out_for(std::chrono::seconds time, std::uint64_t seed, const configuration& in, std::size_t places);

}  // namespace lockfast::stress

#endif
