// explain.cc - the texts, by errno and by what the system has left.
#include "allocator/explain.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "allocator/options.h"
#include "allocator/isolated/isolated.h"
#include "allocator/process.h"

namespace lockfast::internal {
namespace {

// Keeps what there is room for, and counts the rest.
class text {
 public:
  explicit text(std::span<char> out) : out_(out) {}

  text& operator<<(std::string_view words) {
    for (const char character : words) {
      if (size_ < out_.size()) out_[size_] = character;
      ++size_;
    }
    return *this;
  }
  text& operator<<(std::uint64_t number) {
    char digits[20];
    std::size_t first = sizeof digits;
    do {
      digits[--first] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << std::string_view(digits + first, sizeof digits - first);
  }

  // Ends the text, cut or not.
  std::size_t end() {
    if (!out_.empty()) out_[std::min(size_, out_.size() - 1)] = '\0';
    return size_;
  }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

// A secret of one page at a limit is refused before the last page of it is used: guard pages and records take theirs.
constexpr std::size_t pages_near = 16;
constexpr std::size_t maps_near = 64;

bool near_lock_limit(const lockfast_statistics& now) {
  return now.lock_limit != SIZE_MAX && now.bytes_locked + pages_near * platform::page_size() >= now.lock_limit;
}

void explain_shortage(text& out) {
  struct lockfast_statistics now = {};
  process::statistics(now);
  const std::size_t memory = platform::memory_available();
  if (now.lock_limit == 0) {
    out << "this process may lock no memory: RLIMIT_MEMLOCK is 0. Raise it (ulimit -l, LimitMEMLOCK= of a systemd unit, "
           "--ulimit memlock= of a container), or take what is not locked by lock=preferred";
  } else if (now.map_limit != SIZE_MAX && now.map_limit != 0 && now.maps_used + maps_near >= now.map_limit) {
    out << "maps are used up: " << std::min(now.maps_used, now.map_limit) << " of " << now.map_limit
        << ". Raise vm.max_map_count, close secrets that are not in use and have them sealed at once by rest=seal, which needs fewer "
           "maps, or hold small secrets in lockfast_malloc or in a compartment, which share pages";
  } else if (near_lock_limit(now)) {
    out << "the lock limit is used up: " << std::min(now.bytes_locked, now.lock_limit) << " of " << now.lock_limit
        << " bytes (RLIMIT_MEMLOCK). Raise it (ulimit -l, LimitMEMLOCK= of a systemd unit, --ulimit memlock= of a container), close "
           "secrets that are not in use, which rest=auto and rest=seal then hold without a lock, or take what is not locked by "
           "lock=preferred";
  } else {
    out << "the size is more than there is room for. Locked by this process: " << now.bytes_locked;
    if (now.lock_limit != SIZE_MAX) out << " of " << now.lock_limit;
    out << " bytes";
    if (memory != SIZE_MAX) out << "; memory left to it: about " << memory << " bytes";
    out << "; the most that one secret can have: " << isolated_arena::max_size
        << " bytes. RLIMIT_AS, RLIMIT_MEMLOCK or a memory cgroup may be lower";
  }
}

}  // namespace

std::size_t explain(platform::error refusal, std::span<char> out_chars) {
  text out(out_chars);
  switch (refusal) {
    case 0: out << "nothing was refused"; break;
    case ENOMEM:
    case EAGAIN: explain_shortage(out); break;
    case EPERM:
      if (platform::lock_limit() == 0) {
        explain_shortage(out);
      } else {
        out << "the system forbids a call: a seccomp filter, most likely. docs/platforms.md lists the calls, and has a systemd unit "
               "that allows them; lockfast doctor tries each";
      }
      break;
    case ENOSYS: out << "the kernel, or a seccomp filter in its name, has not got a call. lockfast doctor says which"; break;
    case EBUSY:
      out << "lockfast_configure comes too late: something was allocated already. Call it first, or set LOCKFAST_OPTIONS";
      break;
    case EINVAL:
      if (const char* const field = process::refused_option(); field != nullptr) {
        out << "lockfast_options." << field
            << " has a value that it cannot have: lockfast.h lists them. Begin with a struct that is "
               "all 0";
      } else {
        out << "an argument is not allowed: a null pointer, a pointer that does not point to a live secret, an alignment that is no "
               "power of two, an access outside its enum";
      }
      break;
    case ENOTSUP:
      out << "access is changed of an isolated secret or of a whole compartment: lockfast_malloc_isolated, "
             "lockfast_compartment_protect. For lockfast_mlock: the system cannot hold such memory in RAM";
      break;
    case EFAULT: out << "a canary is damaged: something wrote outside a secret. Do not go on"; break;
    default: out << "the system refused with errno " << static_cast<std::uint64_t>(refusal < 0 ? 0 : refusal); break;
  }
  return out.end();
}

}  // namespace lockfast::internal
