// limits.cc - how much may be locked, how many maps there may be: RLIMIT_MEMLOCK, CAP_IPC_LOCK, /proc.
#include <linux/capability.h>
#include <stdint.h>

#include "platform/errno_saver.h"
#include "platform/linux/proc_file.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {
namespace {

// What a kernel allows that nobody told otherwise (DEFAULT_MAX_MAP_COUNT), where there is no /proc to ask.
constexpr std::size_t usual_map_limit = 65'530;

// The user namespace of the system itself maps every user to itself.
bool in_initial_user_namespace() {
  text_file map("/proc/self/uid_map");
  const auto line = map.next_piece();
  std::size_t ids[3] = {1, 1, 0};
  std::size_t which = 0;
  bool in_number = false;
  for (const char character : line) {
    const bool digit = character >= '0' && character <= '9';
    if (digit && !in_number && which < 3) ids[which] = 0;
    if (digit && which < 3) ids[which] = ids[which] * 10 + static_cast<std::size_t>(character - '0');
    if (!digit && in_number) ++which;
    in_number = digit;
  }
  return ids[0] == 0 && ids[1] == 0 && ids[2] == UINT32_MAX;
}

// CAP_IPC_LOCK, in the initial user namespace, lifts RLIMIT_MEMLOCK (capabilities(7), user_namespaces(7)). Read, not asked for by
// capget(2), which a filter may not allow.
bool may_lock_without_limit() {
  text_file status("/proc/thread-self/status");
  status_field effective("CapEff:", status_field::base::hexadecimal);
  for (auto piece = status.next_piece(); !piece.empty(); piece = status.next_piece()) {
    for (const char character : piece) effective.see(character);
  }
  return (effective.value() >> CAP_IPC_LOCK & 1) != 0 && in_initial_user_namespace();
}

}  // namespace

std::size_t lock_limit() {
  const errno_saver kept;
  return may_lock_without_limit() ? SIZE_MAX : resource_limit_of_locks();
}

bool may_lock(std::size_t size) {
  const errno_saver kept;
  return size <= resource_limit_of_locks() || may_lock_without_limit();
}

std::size_t maps_used() {
  const errno_saver kept;
  std::size_t lines = 0;
  text_file maps("/proc/self/maps");
  for (auto piece = maps.next_piece(); !piece.empty(); piece = maps.next_piece()) {
    for (const char character : piece) lines += character == '\n';
  }
  return lines;
}

std::size_t map_limit() {
  const errno_saver kept;
  std::size_t limit = 0;
  text_file setting("/proc/sys/vm/max_map_count");
  for (const char character : setting.next_piece()) {
    if (character < '0' || character > '9') break;
    limit = limit * 10 + static_cast<std::size_t>(character - '0');
  }
  return limit == 0 ? usual_map_limit : limit;
}

}  // namespace lockfast::platform
