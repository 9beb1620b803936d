// victim.h - carries out one plan: sets up its secrets, sees that nothing is reported, does the harm, has it noticed.
//
// Runs in a child of its own (victim_process.h), because a library that keeps its promises ends it.
#ifndef LOCKFAST_FUZZ_VICTIM_H
#define LOCKFAST_FUZZ_VICTIM_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzz/corruption_plan.h"

namespace lockfast::fuzz {

class victim {
 public:
  explicit victim(const plan& chosen) : plan_(chosen), wanted_(chosen.blocks[chosen.target]) {}

  [[noreturn]] void live();

 private:
  void* allocate(const block& wanted);
  void set_up();
  void control();

  // The harms. One that returns is to be noticed by the planned call.
  void harm();
  void change_canary();
  void copy_another_canary();
  void restore_earlier_canary();
  void change_zeros();
  void change_far_before();
  void touch_after();
  void touch_freed();
  void touch_moved();
  void touch_against_access();

  // The ends; each leaves the child.
  [[noreturn]] void end_clean();
  [[noreturn]] void notice(noticing by);
  [[noreturn]] void notice_pointer(void* pointer);
  [[noreturn]] void notice_second_free();
  [[noreturn]] void wait_for_reuse();

  // The number below count that the plan's offset stands for.
  [[nodiscard]] std::size_t pick(std::size_t count) const { return count == 0 ? 0 : plan_.offset % count; }
  [[nodiscard]] bool isolated() const { return receipt_.placement == LOCKFAST_ISOLATED; }
  [[nodiscard]] bool in_compartment() const { return wanted_.how == block::way::compartment; }
  [[nodiscard]] std::size_t canary_reach() const;  // how many bytes in front are surely its own canary
  [[nodiscard]] std::size_t reach_behind();        // and behind, of a grouped one
  [[nodiscard]] std::uint8_t* run() const;         // the page that holds the canary's first byte
  [[nodiscard]] std::uint8_t* end() const { return target_ + wanted_.size; }
  [[nodiscard]] std::uint8_t* in_secret_or_canary() const;
  [[nodiscard]] std::uint8_t* inner() const;
  [[nodiscard]] void* foreign() const;
  [[nodiscard]] bool reading() const;

  const plan& plan_;
  const block wanted_;
  std::vector<void*> secrets_;
  std::uint8_t* target_ = nullptr;
  lockfast_receipt receipt_{};
  struct lockfast_compartment* keys_ = nullptr;  // that all blocks of this way share
  std::size_t behind_ = 1;
};

}  // namespace lockfast::fuzz

#endif
