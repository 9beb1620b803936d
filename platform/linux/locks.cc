// locks.cc - which pages the kernel holds in RAM by a lock, and what a program asked for its own pages: madvise(2), and
// /proc/self/maps and smaps (proc_pid_maps(5), proc_pid_smaps(5)).
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/errno_saver.h"
#include "platform/linux/madvise.h"
#include "platform/linux/proc_file.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {
namespace {

// mm/madvise.c refuses MADV_COLD (5.4) with EINVAL where a map is locked, and then does nothing. Where it is not locked, the
// advice lets the kernel reclaim its pages earlier; their contents stay.
constexpr int advice_cold = 20;

// How many pages are asked for, one by one: more than one may lie in different maps.
constexpr std::size_t max_asked = 512;

hold hold_of(const std::byte* address, std::size_t size) {
  switch (advise(const_cast<std::byte*>(address), size, advice_cold)) {
    case 0:
    case ENOMEM: return hold::none;  // ENOMEM: not mapped
    case EINVAL: return size == page_size() ? hold::all : hold::some;
    default: return hold::unknown;  // a filter refuses it
  }
}

// The maps of this process, one after the other, by the lines of an account of them.
class map_reader {
 public:
  explicit map_reader(const char* path) : file_(path) {}

  struct map {
    uintptr_t begin;
    uintptr_t end;
  };
  // The next one that ends behind an address; its flags are then to be asked for, of smaps.
  [[nodiscard]] bool next_ending_after(uintptr_t address, map& found) {
    while (next_line()) {
      std::size_t at = 0;
      if (number(at, '-', found.begin) && number(at, ' ', found.end) && found.end > address) return true;
    }
    return false;
  }

  // Of the map that was found last: a line of two letters for each flag, or null.
  [[nodiscard]] const char* flags() {
    constexpr char name[] = "VmFlags:";
    while (next_line()) {
      if (strncmp(line_, name, sizeof name - 1) == 0) return line_ + sizeof name - 1;
    }
    return nullptr;
  }

 private:
  // False at the end. What a line has beyond the buffer is left out.
  [[nodiscard]] bool next_line() {
    std::size_t length = 0;
    for (;;) {
      if (piece_.empty()) piece_ = file_.next_piece();
      if (piece_.empty()) return false;
      const char character = piece_.front();
      piece_ = piece_.subspan(1);
      if (character == '\n') break;
      if (length < sizeof line_ - 1) line_[length++] = character;
    }
    line_[length] = 0;
    return true;
  }

  // A hexadecimal number and the character that ends it.
  [[nodiscard]] bool number(std::size_t& at, char end, uintptr_t& value) const {
    value = 0;
    const std::size_t begin = at;
    for (;; ++at) {
      const char character = line_[at];
      if (character >= '0' && character <= '9') {
        value = value * 16 + static_cast<uintptr_t>(character - '0');
      } else if (character >= 'a' && character <= 'f') {
        value = value * 16 + static_cast<uintptr_t>(character - 'a' + 10);
      } else {
        if (at == begin) return false;
        return line_[at++] == end;
      }
    }
  }

  text_file file_;
  std::span<const char> piece_;
  char line_[192];
};

// Whether a line of flags has one of two letters.
bool has(const char* flags, const char* flag) { return strstr(flags, flag) != nullptr; }

// True, too, where there is no account of the maps.
bool all_mapped(uintptr_t address, std::size_t size) {
  map_reader maps("/proc/self/maps");
  map_reader::map found = {};
  if (!maps.next_ending_after(0, found)) return true;
  const uintptr_t end = address + size;
  for (bool more = true; more; more = maps.next_ending_after(address, found)) {
    if (found.end <= address) continue;
    if (found.begin > address) return false;
    address = found.end;
    if (address >= end) return true;
  }
  return false;
}

// Up to this size mlock itself is the quickest to ask.
constexpr std::size_t small_claim = std::size_t{64} << 10;

}  // namespace

hold lock_held(const std::byte* address, std::size_t size) {
  const errno_saver kept;
  if (!advice_is_followed()) return hold::unknown;
  const std::size_t page = page_size();
  const hold whole = hold_of(address, size);
  if (whole != hold::some) return whole;
  const std::size_t count = size / page;
  const std::size_t asked = count < max_asked ? count : max_asked;
  for (std::size_t which = 0; which < asked; ++which) {
    // The first page, the last, and those between, evenly apart.
    const hold one = hold_of(address + (which * (count - 1) / (asked - 1)) * page, page);
    if (one != hold::all) return one == hold::none ? hold::some : one;
  }
  return hold::all;
}

error renew_lock(std::byte* address, std::size_t size) {
  const errno_saver kept;
  error refusal = lock_marked_again(address, size);
  if (refusal != 0 && refusal != ENOMEM && refusal != EAGAIN) refusal = lock_pages(address, size);
  // Over the limit the kernel refuses what is locked already, too.
  return refusal != 0 && lock_held(address, size) == hold::all ? 0 : refusal;
}

error foreign_refusal(const std::byte* address, std::size_t size) {
  const errno_saver kept;
  if (size <= small_claim) return 0;
  if (!all_mapped(reinterpret_cast<uintptr_t>(address), size)) return ENOMEM;
  if (may_lock(size)) return 0;
  return resource_limit_of_locks() == 0 ? EPERM : ENOMEM;
}

foreign_pages state_of_foreign(const std::byte* address) {
  const errno_saver kept;
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  map_reader maps("/proc/self/smaps");
  map_reader::map found = {};
  const char* flags = nullptr;
  if (maps.next_ending_after(wanted, found) && found.begin <= wanted) flags = maps.flags();
  if (flags == nullptr) return {page_size(), lock_held(address, page_size()) == hold::all, false, 0};
  // What mm/mlock.c leaves out without a refusal: huge pages of hugetlbfs, the maps of devices, droppable memory (6.11).
  bool is_held = true;
  for (const char* const flag : {" ht", " io", " pf", " mm", " dp"}) is_held = is_held && !has(flags, flag);
  return {found.end - wanted, has(flags, " lo"), has(flags, " dd"), is_held ? 0 : ENOTSUP};
}

}  // namespace lockfast::platform
