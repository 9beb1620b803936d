// operations_fuzzer.cc - runs decoded operations of the C interface beside a plain model and requires agreement in all.
//
// Each operation's kind, subject and sizes come from bytes of their own. An input starts with nothing live and nothing
// claimed, and ends by freeing and unlocking all. The policy is that of LOCKFAST_OPTIONS, one for the whole process.
#include <array>
#include <cerrno>
#include <iterator>

#include "fuzz/probe.h"
#include "fuzz/session.h"

namespace lockfast::fuzz {

namespace {

constexpr std::size_t live_limit = 24;
constexpr std::size_t operation_limit = 400;

struct operation {
  const char* name;
  unsigned weight;  // of the sum of all weights
  enum class needs { nothing, room, subject, compartment, room_in_compartment } need;
  void (session::*run)();
};

using enum operation::needs;
constexpr operation operations[] = {
    {"malloc", 18, room, &session::malloc},
    {"malloc_isolated", 18, room, &session::malloc_isolated},
    {"calloc", 10, room, &session::calloc},
    {"aligned_alloc", 10, room, &session::aligned_alloc},
    {"realloc", 16, subject, &session::realloc},
    {"realloc of NULL", 3, room, &session::realloc_nothing},
    {"free", 48, subject, &session::free},
    {"free of NULL", 1, nothing, &session::free_nothing},
    {"protect", 30, subject, &session::protect},
    {"check", 12, subject, &session::check},
    {"audit", 4, nothing, &session::audit},
    {"describe and size", 8, subject, &session::describe},
    {"statistics", 8, nothing, &session::statistics},
    {"trim", 4, nothing, &session::trim},
    {"write", 16, subject, &session::write},
    {"wipe", 6, subject, &session::wipe},
    {"equal", 6, subject, &session::equal},
    {"wipe_all", 2, nothing, &session::wipe_all},
    {"configure, too late", 2, nothing, &session::configure},
    {"refused size", 5, room, &session::refuse_size},
    {"refused alignment", 3, room, &session::refuse_alignment},
    {"refused access", 3, subject, &session::refuse_access},
    {"refused pointer", 5, subject, &session::refuse_pointer},
    {"mlock", 24, nothing, &session::claim},
    {"munlock", 20, nothing, &session::unclaim},
    {"refused mlock", 4, nothing, &session::refuse_claim},
    {"write to claimed memory", 6, nothing, &session::write_claimed},
    {"wipe of claimed memory", 3, nothing, &session::wipe_claimed},
    {"map flags", 2, nothing, &session::map_flags},
    {"compartment_create", 8, nothing, &session::compartment_create},
    {"compartment_destroy", 4, operation::needs::compartment, &session::compartment_destroy},
    {"compartment_malloc", 24, room_in_compartment, &session::compartment_malloc},
    {"compartment_protect", 16, operation::needs::compartment, &session::compartment_protect},
    {"refused size in a compartment", 2, operation::needs::compartment, &session::refuse_compartment_size},
};

consteval unsigned sum_of_weights() {
  unsigned sum = 0;
  for (const operation& each : operations) sum += each.weight;
  return sum;
}

constinit std::array<kind, std::size(operations)> counts = [] {
  std::array<kind, std::size(operations)> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].name = operations[i].name;
  return all;
}();

}  // namespace

void session::make_room() {
  while (secrets_.live().size() >= live_limit) secrets_.free(choose());
}

void session::run() {
  for (std::size_t done = 0; done < operation_limit && !input_.empty(); ++done) {
    std::size_t chosen = input_.below(sum_of_weights());
    std::size_t at = 0;
    while (chosen >= operations[at].weight) chosen -= operations[at++].weight;
    const operation& now = operations[at];
    if (now.need == operation::needs::subject && secrets_.live().empty()) continue;
    const bool needs_compartment =
        now.need == operation::needs::compartment || now.need == operation::needs::room_in_compartment;
    if (needs_compartment && compartments_.empty()) continue;
    if (now.need == operation::needs::room || now.need == operation::needs::room_in_compartment) {
      make_room();
      size_ = input_.secret_size(page_size());
    }
    errno = 0;
    executed_ = true;
    (this->*now.run)();
    if (executed_) ++counts[at].count;
  }
  secrets_.verify_all();
  while (!compartments_.empty()) destroy(compartments_.size() - 1);
  while (!secrets_.live().empty()) secrets_.free(secrets_.live().size() - 1);
  claims().unlock(0, claims().size());
  secrets_.verify_statistics();
}

std::span<const kind> kinds() { return counts; }

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lockfast::fuzz;
  session(lockfast::fuzz::bytes({bytes, size})).run();
  return 0;
}
