// notice.cc - the lines, each written once.
#include "allocator/notice.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "platform/platform.h"

namespace lockfast::internal {
namespace {

// A bit for each protection that was told of.
constinit std::atomic<unsigned> told = 0;

void tell(unsigned which, const char* what, int error) {
  if (error == 0 || (told.fetch_or(1U << which, std::memory_order_relaxed) >> which & 1) != 0) return;
  constexpr char begin[] = "lockfast: notice: ";
  constexpr char middle[] = " (errno ";
  constexpr std::size_t max_text = 64;
  constexpr std::size_t max_digits = 11;
  char line[sizeof begin + max_text + sizeof middle + max_digits + 2];
  char* at = line;
  const auto append = [&](const char* text, std::size_t size) {
    std::memcpy(at, text, size);
    at += size;
  };
  append(begin, std::strlen(begin));
  append(what, std::strlen(what));
  append(middle, std::strlen(middle));
  char digits[max_digits];
  std::size_t first = max_digits;
  for (auto left = static_cast<unsigned>(error); left != 0; left /= 10) digits[--first] = static_cast<char>('0' + left % 10);
  append(digits + first, max_digits - first);
  append(")\n", 2);
  platform::write_line({line, static_cast<std::size_t>(at - line)});
}

}  // namespace

void announce_weakness(const lockfast_receipt& receipt) {
  tell(0, "a secret is not locked in RAM", receipt.lock_error);
  tell(1, "a secret can be in a core dump", receipt.dump_error);
  tell(2, "a secret is not hidden", receipt.hide_error == ECANCELED ? 0 : receipt.hide_error);
  tell(3, "the fork policy is not in force", receipt.fork_error);
  tell(4, "a closed secret shares a page with one that is more open", receipt.access_error);
}

}  // namespace lockfast::internal
