// shrink.h - looks for a short plan among the parts of one that fails.
#ifndef LOCKFAST_TESTS_STRESS_SHRINK_H
#define LOCKFAST_TESTS_STRESS_SHRINK_H

#include <chrono>
#include <functional>

#include "stress/plan.h"

namespace lockfast::stress {

// Takes parts out for as long as what is left still fails, smaller and smaller ones (Zeller, Hildebrandt: Simplifying and
// Isolating Failure-Inducing Input, 2002), and ends after that time. fails is asked once for each part: where threads race it
// carries the plan out several times.
[[nodiscard]] plan shrink(plan failing, const std::function<bool(const plan&)>& fails, std::chrono::seconds time);

}  // namespace lockfast::stress

#endif
