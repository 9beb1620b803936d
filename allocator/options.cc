// options.cc - the keys and values, in one table.
#include "allocator/options.h"

#include <cstring>
#include <iterator>
#include <string_view>

namespace lockfast::internal {
namespace {

struct setting {
  std::string_view key;
  std::string_view value;
  void (*apply)(lockfast_options&);
};

constexpr setting settings[] = {
    {"lock", "required", [](lockfast_options& to) { to.lock = LOCKFAST_LOCK_REQUIRED; }},
    {"lock", "preferred", [](lockfast_options& to) { to.lock = LOCKFAST_LOCK_PREFERRED; }},
    {"hidden", "auto", [](lockfast_options& to) { to.hidden = LOCKFAST_HIDDEN_AUTO; }},
    {"hidden", "on", [](lockfast_options& to) { to.hidden = LOCKFAST_HIDDEN_ON; }},
    {"hidden", "off", [](lockfast_options& to) { to.hidden = LOCKFAST_HIDDEN_OFF; }},
    {"fork", "inherit", [](lockfast_options& to) { to.fork = LOCKFAST_FORK_INHERIT; }},
    {"fork", "wipe", [](lockfast_options& to) { to.fork = LOCKFAST_FORK_WIPE; }},
    {"fork", "absent", [](lockfast_options& to) { to.fork = LOCKFAST_FORK_ABSENT; }},
    {"freed", "trap", [](lockfast_options& to) { to.freed = LOCKFAST_FREED_TRAP; }},
    {"freed", "recycle", [](lockfast_options& to) { to.freed = LOCKFAST_FREED_RECYCLE; }},
    {"placement", "isolated", [](lockfast_options& to) { to.placement = LOCKFAST_PLACEMENT_ISOLATED; }},
    {"placement", "grouped", [](lockfast_options& to) { to.placement = LOCKFAST_PLACEMENT_GROUPED; }},
    {"crash", "none", [](lockfast_options& to) { to.crash = LOCKFAST_CRASH_NONE; }},
    {"crash", "wipe", [](lockfast_options& to) { to.crash = LOCKFAST_CRASH_WIPE; }},
};

bool apply(std::string_view key, std::string_view value, lockfast_options& options) {
  for (const setting& one : settings) {
    if (one.key == key && one.value == value) {
      one.apply(options);
      return true;
    }
  }
  return false;
}

}  // namespace

bool valid(const lockfast_options& options) {
  return options.lock <= LOCKFAST_LOCK_PREFERRED && options.hidden <= LOCKFAST_HIDDEN_OFF &&
         options.fork <= LOCKFAST_FORK_ABSENT && options.freed <= LOCKFAST_FREED_RECYCLE &&
         options.placement <= LOCKFAST_PLACEMENT_GROUPED && options.crash <= LOCKFAST_CRASH_WIPE;
}

bool parse(const char* text, lockfast_options& options) {
  std::string_view left = text == nullptr ? std::string_view() : std::string_view(text);
  while (!left.empty()) {
    const std::size_t comma = left.find(',') == std::string_view::npos ? left.size() : left.find(',');
    const std::string_view pair(left.data(), comma);
    left.remove_prefix(comma == left.size() ? comma : comma + 1);
    const std::size_t sign = pair.find('=');
    if (sign == std::string_view::npos) return false;
    if (!apply({pair.data(), sign}, {pair.data() + sign + 1, pair.size() - sign - 1}, options)) return false;
  }
  return true;
}

lockfast_options merged(lockfast_options options, const lockfast_options& fallback) {
  if (options.lock == LOCKFAST_LOCK_DEFAULT) options.lock = fallback.lock;
  if (options.hidden == LOCKFAST_HIDDEN_DEFAULT) options.hidden = fallback.hidden;
  if (options.fork == LOCKFAST_FORK_DEFAULT) options.fork = fallback.fork;
  if (options.freed == LOCKFAST_FREED_DEFAULT) options.freed = fallback.freed;
  if (options.placement == LOCKFAST_PLACEMENT_DEFAULT) options.placement = fallback.placement;
  if (options.crash == LOCKFAST_CRASH_DEFAULT) options.crash = fallback.crash;
  return options;
}

}  // namespace lockfast::internal
