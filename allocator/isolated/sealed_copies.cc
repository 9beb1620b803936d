// sealed_copies.cc - the table's pages.
#include "allocator/isolated/sealed_copies.h"

#include "allocator/base/bytes.h"
#include "platform/platform.h"

namespace lockfast::internal {

void sealed_copies::begin(std::size_t count) {
  const std::size_t page = platform::page_size();
  const std::size_t size = (count * sizeof(entry) + page - 1) / page * page;
  if (size == 0) return;
  const auto made = platform::reserve(size, page, platform::fork_policy::inherit);
  if (made.address == nullptr) return;
  if (platform::protect(made.address, size, platform::access::read_write) != 0) {
    platform::release(made.address, size);
    return;
  }
  table_ = static_cast<entry*>(static_cast<void*>(made.address));
  table_size_ = size;
  room_ = count;
}

void sealed_copies::end() {
  for (std::size_t at = 0; at < count_; ++at) sealed_record::give_back(table_[at].record, table_[at].size);
  count_ = 0;
  room_ = 0;
  if (table_ == nullptr) return;
  wipe(table_, table_size_);
  platform::release(reinterpret_cast<std::byte*>(table_), table_size_);
  table_ = nullptr;
}

}  // namespace lockfast::internal
