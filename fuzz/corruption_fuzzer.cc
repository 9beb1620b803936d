// corruption_fuzzer.cc - harms one secret in one decoded way, in a child, and requires that it is trapped or noticed.
//
// Every corruption has the outcomes that keep the library's promises; any other is a finding. So is a report where there
// is no harm: each child first verifies that its unharmed secrets pass, and some plans do no harm at all.
#include <lockfast/lockfast.h>

#include <array>
#include <iterator>
#include <string>

#include "fuzz/bytes.h"
#include "fuzz/corruption_plan.h"
#include "fuzz/probe.h"
#include "fuzz/target.h"
#include "fuzz/victim.h"
#include "fuzz/victim_process.h"

namespace lockfast::fuzz {

namespace {

constexpr unsigned bit(outcome one) { return 1U << (static_cast<int>(one) - static_cast<int>(outcome::clean)); }

constexpr unsigned trapped = bit(outcome::trapped);
constexpr unsigned noticed = bit(outcome::noticed);
constexpr unsigned breached = bit(outcome::breached);

struct row {
  corruption what;
  const char* name;
  unsigned accepted;    // bits of outcomes
  const char* reasons;  // of a breach, as docs/diagnostics.md has them
};

constexpr row rows[] = {
    {corruption::none, "no harm", bit(outcome::clean), ""},
    {corruption::canary, "canary changed", noticed | breached, "broken canary"},
    {corruption::another_canary, "another's canary", noticed | breached, "broken canary"},
    {corruption::earlier_canary, "earlier canary", noticed | breached, "broken canary"},
    {corruption::padding, "zeros in front changed", noticed, ""},
    {corruption::far_before, "written far in front", trapped | noticed, ""},
    {corruption::after, "written past the end", trapped | noticed | breached, "broken canary"},
    {corruption::read_after, "read past the end", trapped, ""},
    {corruption::freed_write, "written after free", trapped | breached, "write after free"},
    {corruption::freed_read, "read after free", trapped, ""},
    {corruption::moved_write, "written after realloc", trapped | breached, "write after free"},
    {corruption::double_free, "freed twice", noticed | breached, "double free, interior pointer, invalid pointer"},
    {corruption::interior_pointer, "interior pointer", noticed | breached, "interior pointer, double free"},
    {corruption::invalid_pointer, "invalid pointer", noticed | breached, "invalid pointer, interior pointer"},
    {corruption::no_access_read, "read without access", trapped, ""},
    {corruption::no_access_write, "written without access", trapped, ""},
    {corruption::read_only_write, "written, read-only", trapped, ""},
};
static_assert(std::size(rows) == corruption_count);

constexpr outcome good_outcomes[] = {outcome::clean, outcome::trapped, outcome::noticed, outcome::breached};

// Each corruption, then each good outcome.
std::array<kind, std::size(rows) + std::size(good_outcomes)> counts = [] {
  std::array<kind, std::size(rows) + std::size(good_outcomes)> all{};
  for (std::size_t i = 0; i < std::size(rows); ++i) all[i].name = rows[i].name;
  for (std::size_t i = 0; i < std::size(good_outcomes); ++i) all[std::size(rows) + i].name = name_of(good_outcomes[i]);
  return all;
}();

// The reason in "lockfast: <reason>: ..." must be one of the row's.
bool right_reason(const row& of, const std::string& words) {
  const std::size_t begin = words.find(": ") + 2;
  const std::string reason = words.substr(begin, words.find(':', begin) - begin);
  return !reason.empty() && std::string(of.reasons).find(reason) != std::string::npos;
}

void run(const plan& chosen) {
  const auto index = static_cast<std::size_t>(chosen.what);
  std::string words;
  const outcome result = run_in_child([&] { victim(chosen).live(); }, words);
  if (result == outcome::not_applicable) return;
  const bool wrong_reason = result == outcome::breached && !right_reason(rows[index], words);
  if (wrong_reason || (rows[index].accepted & bit(result)) == 0) {
    const block& target = chosen.blocks[chosen.target];
    disagree("%s, %s: block %zu of %zu, way %d, %zu bytes, alignment %zu, offset %zu, flip %02x, call %d, freed=%s\n%s",
             rows[index].name, name_of(result), chosen.target, chosen.blocks.size(), static_cast<int>(target.how),
             target.size, target.alignment, chosen.offset, chosen.flip, static_cast<int>(chosen.by),
             chosen.options.freed == LOCKFAST_FREED_TRAP ? "trap" : "recycle", words.c_str());
  }
  ++counts[index].count;
  for (std::size_t i = 0; i < std::size(good_outcomes); ++i)
    if (result == good_outcomes[i]) ++counts[std::size(rows) + i].count;
}

}  // namespace

std::span<const kind> kinds() { return counts; }

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lockfast::fuzz;
  run(decode_plan(lockfast::fuzz::bytes({bytes, size}), page_size()));
  return 0;
}
