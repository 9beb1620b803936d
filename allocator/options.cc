// options.cc - the keys and values, in one table.
#include "allocator/options.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <string_view>
#include <type_traits>

#include "allocator/report.h"

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
    {"native_placement", "isolated", [](lockfast_options& to) { to.native_placement = LOCKFAST_PLACEMENT_ISOLATED; }},
    {"native_placement", "grouped", [](lockfast_options& to) { to.native_placement = LOCKFAST_PLACEMENT_GROUPED; }},
    {"notice", "none", [](lockfast_options& to) { to.notice = LOCKFAST_NOTICE_NONE; }},
    {"notice", "stderr", [](lockfast_options& to) { to.notice = LOCKFAST_NOTICE_STDERR; }},
    {"crash", "none", [](lockfast_options& to) { to.crash = LOCKFAST_CRASH_NONE; }},
    {"crash", "wipe", [](lockfast_options& to) { to.crash = LOCKFAST_CRASH_WIPE; }},
    {"quarantine", "yield", [](lockfast_options& to) { to.quarantine = LOCKFAST_QUARANTINE_YIELD; }},
    {"quarantine", "hold", [](lockfast_options& to) { to.quarantine = LOCKFAST_QUARANTINE_HOLD; }},
    {"rest", "auto", [](lockfast_options& to) { to.rest = LOCKFAST_REST_AUTO; }},
    {"rest", "seal", [](lockfast_options& to) { to.rest = LOCKFAST_REST_SEAL; }},
    {"rest", "keep", [](lockfast_options& to) { to.rest = LOCKFAST_REST_KEEP; }},
    {"idle", "auto", [](lockfast_options& to) { to.idle = LOCKFAST_IDLE_AUTO; }},
    {"idle", "few", [](lockfast_options& to) { to.idle = LOCKFAST_IDLE_FEW; }},
    {"report_map", "on", [](lockfast_options& to) { to.report_map = LOCKFAST_REPORT_MAP_ON; }},
    {"report_map", "off", [](lockfast_options& to) { to.report_map = LOCKFAST_REPORT_MAP_OFF; }},
    {"report_addresses", "on", [](lockfast_options& to) { to.report_addresses = LOCKFAST_REPORT_ADDRESSES_ON; }},
    {"report_addresses", "off", [](lockfast_options& to) { to.report_addresses = LOCKFAST_REPORT_ADDRESSES_OFF; }},
    // Any text is a value of this one: what it lists is what its kinds are called.
    {"report", "none", nullptr},
    {"report", "stderr", nullptr},
    {"report", "FD", nullptr},
    {"report", "PATH", nullptr},
};

constexpr std::size_t setting_count = std::size(settings);

const setting* find(std::string_view key, std::string_view value) {
  for (const setting& one : settings) {
    if (one.key == key && one.value == value) return &one;
  }
  return nullptr;
}

bool is_key(std::string_view word) {
  for (const setting& one : settings) {
    if (one.key == word) return true;
  }
  return false;
}

// The keys, or the values of one.
void add_allowed(options_fault& fault, std::string_view key) {
  const bool known = is_key(key);
  fault.add(known ? std::string_view("; values of ") : std::string_view("; keys: "));
  if (known) {
    fault.add(key);
    fault.add(std::string_view(": "));
  }
  bool first = true;
  for (std::size_t at = 0; at < setting_count; ++at) {
    const bool wanted = known ? settings[at].key == key : at == 0 || settings[at - 1].key != settings[at].key;
    if (!wanted) continue;
    if (!first) fault.add(std::string_view(", "));
    fault.add(known ? settings[at].value : settings[at].key);
    first = false;
  }
}

// Whether value is no more than the last value of its enum. Compared without a sign: a comparison of the enums themselves is one of
// ints, and what a C program stored there may be negative.
template <class Enum>
bool within(const Enum& value, Enum last) {
  using number = std::make_unsigned_t<std::underlying_type_t<Enum>>;
  return std::bit_cast<number>(value) <= static_cast<number>(last);
}

}  // namespace

const char* invalid_field(const lockfast_options& options) {
  const struct {
    const char* name;
    bool valid;
  } fields[] = {
      {"lock", within(options.lock, LOCKFAST_LOCK_PREFERRED)},
      {"hidden", within(options.hidden, LOCKFAST_HIDDEN_OFF)},
      {"fork", within(options.fork, LOCKFAST_FORK_ABSENT)},
      {"freed", within(options.freed, LOCKFAST_FREED_RECYCLE)},
      {"placement", within(options.placement, LOCKFAST_PLACEMENT_GROUPED)},
      {"crash", within(options.crash, LOCKFAST_CRASH_WIPE)},
      {"native_placement", within(options.native_placement, LOCKFAST_PLACEMENT_GROUPED)},
      {"notice", within(options.notice, LOCKFAST_NOTICE_STDERR)},
      {"quarantine", within(options.quarantine, LOCKFAST_QUARANTINE_HOLD)},
      {"environment", within(options.environment, LOCKFAST_ENVIRONMENT_IGNORED)},
      {"rest", within(options.rest, LOCKFAST_REST_KEEP)},
      {"idle", within(options.idle, LOCKFAST_IDLE_FEW)},
      {"report_map", within(options.report_map, LOCKFAST_REPORT_MAP_ON)},
      {"report_addresses", within(options.report_addresses, LOCKFAST_REPORT_ADDRESSES_ON)},
      {"reserved", std::ranges::all_of(options.reserved, [](int one) { return one == 0; })},
  };
  for (const auto& field : fields) {
    if (!field.valid) return field.name;
  }
  // Last: in a struct that was not filled this may be no pointer.
  return options.report != nullptr && std::strlen(options.report) >= report::max_destination ? "report" : nullptr;
}

void options_fault::add(std::span<const char> words) {
  for (const char character : words) {
    if (size_ < capacity) text_[size_++] = character;
  }
}

void options_fault::add_quoted(std::span<const char> words) {
  constexpr std::size_t longest = 40;
  const bool cut = words.size() > longest;
  add(std::string_view("'"));
  for (const char character : cut ? words.first(longest) : words) {
    const char shown = character >= ' ' && character <= '~' ? character : '?';
    add({&shown, 1});
  }
  add(cut ? std::string_view("...'") : std::string_view("'"));
}

bool parse(const char* text, lockfast_options& options, options_fault& fault, std::span<char> report_room) {
  std::string_view left = text == nullptr ? std::string_view() : std::string_view(text);
  std::string_view seen[setting_count];
  std::size_t seen_count = 0;
  while (!left.empty()) {
    const std::size_t comma = left.find(',') == std::string_view::npos ? left.size() : left.find(',');
    const std::string_view pair(left.data(), comma);
    left.remove_prefix(comma == left.size() ? comma : comma + 1);
    const std::size_t sign = pair.find('=');
    const std::string_view key(pair.data(), sign == std::string_view::npos ? pair.size() : sign);
    const std::string_view value =
        sign == std::string_view::npos ? std::string_view() : std::string_view(pair.data() + sign + 1, pair.size() - sign - 1);
    const bool reports = key == std::string_view("report") && !value.empty() && value.size() < report_room.size();
    const setting* const found = reports ? nullptr : find(key, value);
    if (!reports && (found == nullptr || found->apply == nullptr)) {
      fault.add(std::string_view("an unknown key or value: "));
      fault.add_quoted(pair);
      add_allowed(fault, key);
      return false;
    }
    for (std::size_t at = 0; at < seen_count; ++at) {
      if (seen[at] != key) continue;
      fault.add(std::string_view("a key twice: "));
      fault.add_quoted(key);
      return false;
    }
    seen[seen_count++] = key;
    if (reports) {
      std::memcpy(report_room.data(), value.data(), value.size());
      report_room[value.size()] = 0;
      options.report = report_room.data();
    } else {
      found->apply(options);
    }
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
  if (options.native_placement == LOCKFAST_PLACEMENT_DEFAULT) options.native_placement = fallback.native_placement;
  if (options.notice == LOCKFAST_NOTICE_DEFAULT) options.notice = fallback.notice;
  if (options.quarantine == LOCKFAST_QUARANTINE_DEFAULT) options.quarantine = fallback.quarantine;
  if (options.environment == LOCKFAST_ENVIRONMENT_DEFAULT) options.environment = fallback.environment;
  if (options.rest == LOCKFAST_REST_DEFAULT) options.rest = fallback.rest;
  if (options.idle == LOCKFAST_IDLE_DEFAULT) options.idle = fallback.idle;
  if (options.report_map == LOCKFAST_REPORT_MAP_DEFAULT) options.report_map = fallback.report_map;
  if (options.report_addresses == LOCKFAST_REPORT_ADDRESSES_DEFAULT) options.report_addresses = fallback.report_addresses;
  if (options.report == nullptr) options.report = fallback.report;
  return options;
}

}  // namespace lockfast::internal
