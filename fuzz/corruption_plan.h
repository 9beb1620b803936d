// corruption_plan.h - one experiment: some live secrets, one of them harmed in one way, and the call that has to notice.
#ifndef LOCKFAST_FUZZ_CORRUPTION_PLAN_H
#define LOCKFAST_FUZZ_CORRUPTION_PLAN_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzz/bytes.h"

namespace lockfast::fuzz {

enum class corruption : std::uint8_t {
  none,             // the control: all is well, and nothing is reported
  canary,           // a byte of the 16 in front
  another_canary,   // another secret's canary, copied over its own
  earlier_canary,   // the canary that its place had for an earlier secret
  padding,          // a zero in front of the canary
  far_before,       // a byte up to a page before its pages
  after,            // a byte from the first one past the end on
  read_after,       // the same, read
  freed_write,      // a byte of it or of its canary after free
  freed_read,       // the same, read
  moved_write,      // a byte where it was before realloc
  double_free,      // freed twice, with other allocations in between
  interior_pointer,    // freed by a pointer beside its own
  invalid_pointer,  // freed by a pointer to something else
  no_access_read,   // touched against its access
  no_access_write,
  read_only_write,
};
inline constexpr std::size_t corruption_count = 17;

// Which call has to notice what is not trapped. For a pointer that is no secret's, check and audit stand for free.
enum class noticing : std::uint8_t { check, audit, free, protect, realloc };
inline constexpr std::size_t noticing_count = 5;

struct block {
  enum class way : std::uint8_t { malloc, malloc_isolated, calloc, aligned_alloc, compartment };
  way how;
  std::size_t size;
  std::size_t alignment;  // of aligned_alloc
};

struct plan {
  corruption what;
  noticing by;
  lockfast_options options;
  std::size_t offset;   // where, reduced to what the corruption allows
  std::uint8_t flip;    // what the byte is changed by, not 0
  std::size_t between;  // allocations between the two halves of a corruption
  std::size_t target;   // index of the block that is harmed
  std::vector<block> blocks;
};

inline plan decode_plan(bytes input, std::size_t page_size) {
  plan made{};
  made.what = static_cast<corruption>(input.below(corruption_count));
  made.by = static_cast<noticing>(input.below(noticing_count));
  made.options.freed = input.below(2) == 0 ? LOCKFAST_FREED_TRAP : LOCKFAST_FREED_RECYCLE;
  made.options.hidden = input.below(2) == 0 ? LOCKFAST_HIDDEN_AUTO : LOCKFAST_HIDDEN_OFF;
  made.options.fork = static_cast<lockfast_fork>(input.below(4));
  const std::size_t offset = input.below(std::size_t{1} << 16);
  made.offset = input.below(2) == 0 ? offset % 32 : offset;
  const std::uint8_t flip = input.next();
  made.flip = flip == 0 ? 1 : flip;
  made.between = input.below(5);
  const std::size_t count = 1 + input.below(6);
  made.target = input.below(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto how = static_cast<block::way>(input.below(5));
    const std::size_t alignment = std::size_t{1} << input.below(14);
    made.blocks.push_back({how, input.secret_size(page_size), alignment});
  }
  return made;
}

}  // namespace lockfast::fuzz

#endif
