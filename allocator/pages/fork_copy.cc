// fork_copy.cc - the copy's map and table.
#include "allocator/pages/fork_copy.h"

#include "allocator/base/bytes.h"
#include "allocator/pages/room.h"
#include "platform/access_checker.h"

namespace lockfast::internal {
namespace {

// A secret's owner may write to it while it is copied, as it may while the kernel copies pages in fork.
[[gnu::noinline]] LOCKFAST_UNCHECKED __attribute__((no_sanitize("thread"))) void copy_racing(std::byte* to,
                                                                                             const std::byte* from,
                                                                                             std::size_t size) {
  const platform::unreported canaries_too;
  auto* const words = static_cast<volatile std::uint64_t*>(static_cast<void*>(to));
  const auto* const read = static_cast<const volatile std::uint64_t*>(static_cast<const void*>(from));
  for (std::size_t at = 0; at < size / sizeof(std::uint64_t); ++at) words[at] = read[at];
}

}  // namespace

void fork_copy::begin(std::size_t run_count, std::size_t bytes) {
  short_of_room_ = false;
  wiped_ = false;
  if (run_count == 0) return;
  const std::size_t page = platform::page_size();
  const std::size_t table = (run_count * sizeof(entry) + page - 1) / page * page;
  size_ = table + bytes;
  contents_ = table;
  // Without a copy the child's secrets are absent, which is better than a machine without memory.
  if (!has_room_for(size_)) return;
  base_ = platform::map_shared_hidden(size_);
  hidden_ = base_ != nullptr;
  if (!hidden_) {
    const auto plain = platform::reserve(size_, page, platform::fork_policy::inherit);
    if (plain.address == nullptr) return;
    base_ = plain.address;
    if (platform::protect(base_, size_, platform::access::read_write) != 0) {
      platform::release(base_, size_);
      base_ = nullptr;
      return;
    }
    // Without a lock, where the limit is met, for the length of the fork: the child would find zeros for its secrets else.
    locked_ = platform::lock(base_, size_) == 0;
  }
  room_ = run_count;
  next_ = table;
}

std::byte* fork_copy::add(void* record, std::byte* run, std::size_t size, std::uint64_t stamp) {
  if (base_ == nullptr) return nullptr;
  if (count_ == room_ || size > size_ - next_) {
    short_of_room_ = true;
    return nullptr;
  }
  std::byte* const to = base_ + next_;
  if (run != nullptr) copy_racing(to, run, size);
  static_cast<entry*>(static_cast<void*>(base_))[count_++] = {record, run, size, next_, stamp};
  next_ += size;
  return to;
}

void fork_copy::end() {
  if (base_ != nullptr) {
    if (!hidden_) {
      wipe(base_, size_);
      if (locked_) (void)platform::unlock(base_, size_);
    }
    platform::release(base_, size_);
  }
  base_ = nullptr;
  count_ = 0;
}

// By the system: the thread that forks may unmap it meanwhile. What the child is to know is written down first.
void fork_copy::wipe_on_signal() {
  std::byte* const copy = base_;
  if (copy == nullptr) return;
  wiped_ = true;
  platform::overwrite({copy + contents_, size_ - contents_});
}

}  // namespace lockfast::internal
