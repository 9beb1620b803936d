// operation.h - one thing that a thread does with its secrets: chosen by a number, said in a line, read from a line.
//
//    allocate_isolated 7 4100    the place in the thread's table, and a number whose meaning is the verb's: here the size
#ifndef LOCKFAST_TESTS_STRESS_OPERATION_H
#define LOCKFAST_TESTS_STRESS_OPERATION_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lockfast::stress {

// Numbers that follow from a seed (Steele, Lea, Flood: SplitMix, OOPSLA 2014).
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // A number below a bound, which is not 0.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

// What does not suit the state of its place (a free of an empty one) does nothing, so any part of a plan is a plan.
enum class verb : std::uint8_t {
  allocate,              // these six fill an empty place; amount: the size
  allocate_array,
  allocate_isolated,
  allocate_aligned,      // place also chooses the alignment
  allocate_drop_in,      // by sodium_malloc
  allocate_in,           // in the thread's compartment that place chooses
  write,                 // new contents; amount: their seed
  read,
  protect,               // amount chooses the access
  resize,                // amount: the size
  check,
  describe,
  release,
  hand_over,             // amount: the box, shared by all threads, that the secret changes places with
  make_compartment,
  end_compartment,
  protect_compartment,   // amount chooses the access
  claim,                 // bytes of memory that all threads claim parts of; amount chooses which
  unclaim,
  trim,
  audit,
  count,                 // asks for the statistics and for a report
  fork,
};
inline constexpr std::size_t verb_count = static_cast<std::size_t>(verb::fork) + 1;

struct operation {
  verb what;
  std::uint32_t place;
  std::uint32_t amount;
};

// Each verb as often as it suits, in a table of so many places.
[[nodiscard]] operation random_operation(random_numbers& from, std::size_t place_count);
[[nodiscard]] std::string text(const operation& one);
[[nodiscard]] std::optional<operation> read_operation(const std::string& line);

}  // namespace lockfast::stress

#endif
