// within.cc - the program's own mistakes with a secret, and a child that it forks.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "tools/attacks/memory_errors.h"
#include "tools/heist/attack.h"

namespace lockfast::tools {
namespace {

using namespace attacks;

constexpr const char* trapped = "trapped at once";

outcome touched_at_rest(const subject& whose) {
  return attempt([&](stage& on) {
    const auto from = whose.take_up();
    void* const block = new_secret(*from, whose);
    from->close(block);
    on.held_by_death(trapped);
    if (secret_bytes.stands_at(block)) on.fell("it is always open");
    on.not_tried("other bytes were read");
  });
}

outcome read_by_child(const subject& whose) {
  return attempt([&](stage& on) {
    const auto from = whose.take_up();
    void* const block = new_secret(*from, whose);
    const pid_t child = fork();
    if (child < 0) on.not_tried("no process could be started");
    if (child == 0) {
      if (secret_bytes.stands_at(block)) on.fell("the child has a copy");
      on.held("the child has zeros");
    }
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) on.held("absent: it traps");
  });
}

outcome changed_beside(const subject& whose, std::ptrdiff_t offset) {
  return attempt([&](stage& on) {
    const auto from = whose.take_up();
    void* const block = new_secret(*from, whose);
    on.held_by_death(trapped);
    stray_write(block, offset);
    on.held_by_death("found when freed");
    from->release(block);
    on.fell("nobody noticed");
  });
}

outcome changed_after(const subject& whose) { return changed_beside(whose, secret_size); }

// Each of the eight bytes before it: one that goes unnoticed is enough.
outcome changed_before(const subject& whose) {
  constexpr std::ptrdiff_t farthest = 8;
  outcome ended;
  for (std::ptrdiff_t distance = 1; distance <= farthest; ++distance) {
    ended = changed_beside(whose, -distance);
    if (ended.is != result::held) return ended;
  }
  return ended;
}

// The nearest two of many: from the end of one to the other's bytes.
outcome read_past_end(const subject& whose) {
  return attempt([&](stage& on) {
    constexpr std::size_t count = 64;
    const auto from = whose.take_up();
    std::vector<unsigned char*> all;
    all.reserve(count);
    for (std::size_t at = 0; at < count; ++at) all.push_back(static_cast<unsigned char*>(new_secret(*from, whose)));
    std::sort(all.begin(), all.end());
    std::size_t nearest = 0;
    const auto distance = [&](std::size_t at) { return static_cast<std::size_t>(all[at + 1] - all[at]); };
    for (std::size_t at = 0; at + 1 < count; ++at) nearest = distance(at) < distance(nearest) ? at : nearest;
    on.held_by_death(trapped);
    if (over_read(all[nearest] + secret_size, distance(nearest), secret_bytes)) on.fell("found its neighbour");
    on.held("found nothing");
  });
}

outcome read_after_free(const subject& whose) {
  return attempt([&](stage& on) {
    const auto from = whose.take_up();
    void* const block = new_secret(*from, whose);
    from->release(block);
    on.held_by_death(trapped);
    if (over_read(block, secret_size, secret_bytes)) on.fell("it is still there");
    on.held("found it wiped");
  });
}

outcome written_after_free(const subject& whose) {
  return attempt([&](stage& on) {
    constexpr std::ptrdiff_t offset = secret_size / 2 + 8;  // past what heaps write into free blocks
    constexpr int tries = 100'000;
    const auto from = whose.take_up();
    auto* const block = static_cast<volatile unsigned char*>(new_secret(*from, whose));
    void* const stale = const_cast<unsigned char*>(block);
    from->release(stale);
    on.held_by_death(trapped);
    const unsigned char before = block[offset];
    stray_write(stale, offset);
    const unsigned char after = block[offset];
    on.held_by_death("found at next use");
    for (int count = 0; count < tries; ++count) {
      void* const next = from->allocate(secret_size);
      if (next == stale && before != after && block[offset] == after) on.fell("the next owner has it");
      if (next == stale) on.held("it was undone");
      from->release(next);
    }
    on.not_tried("its place was not used again");
  });
}

// Others are freed first and between, so that no cache of the heap sees the same block twice in a row.
outcome freed_twice(const subject& whose) {
  return attempt([&](stage& on) {
    constexpr std::size_t count = 10;
    const auto from = whose.take_up();
    std::vector<void*> all;
    all.reserve(count);
    for (std::size_t at = 0; at < count; ++at) all.push_back(new_secret(*from, whose));
    for (void* const one : all) from->release(one);
    on.held_by_death("ended the process");
    from->release(all[count - 2]);
    std::vector<void*> after;
    after.reserve(2 * count);
    for (std::size_t at = 0; at < 2 * count; ++at) after.push_back(from->allocate(secret_size));
    std::sort(after.begin(), after.end());
    if (std::adjacent_find(after.begin(), after.end()) != after.end()) on.fell("two own one block");
    on.held("no effect");
  });
}

}  // namespace

std::vector<attack> attacks_from_within() {
  return {
      {"touch", "touch at rest", "a stray read while nobody uses it", touched_at_rest},
      {"fork", "forked child", "a child by fork reads it", read_by_child},
      {"after", "byte past end", "the byte after its end is changed", changed_after},
      {"before", "byte in front", "one of the 8 bytes before it is changed", changed_before},
      {"over_read", "over-read", "a read runs past its end, to the next secret (Heartbleed)", read_past_end},
      {"read_after_free", "read after free", "it is read after it was freed", read_after_free},
      {"write_after_free", "write after free", "it is written after it was freed, and its place is used again",
       written_after_free},
      {"double_free", "double free", "it is freed twice", freed_twice},
  };
}

}  // namespace lockfast::tools
