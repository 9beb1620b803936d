// ram_share.cc - places for shares, and their access.
#include "boojum/split/ram_share.h"

#include <lockfast/lockfast.h>

#include <array>
#include <new>
#include <utility>

#include "boojum/crypto/drawn.h"
#include "boojum/memory/lock_budget.h"

namespace lockfast::internal {
namespace {

constexpr unsigned max_decoys = 7;                      // one less than a power of two
constexpr std::size_t largest_with_decoys = 80 * 1024;  // bytes: every prekey

// An isolated place, some random places away from the last one. A large one has a region of its own, whose pages take long to
// come by: how far it is from the others is left to their places. So it is where locks are scarce: the decoys would take them from
// other secrets.
std::byte* place_for(std::size_t size) {
  std::byte chance{};
  if (!draw_bytes({&chance, 1})) chance = std::byte{0};
  std::array<void*, max_decoys> decoys{};
  const unsigned count = size > largest_with_decoys || locks_are_scarce() ? 0 : std::to_integer<unsigned>(chance) & max_decoys;
  // A decoy that is refused brings the share no nearer to any other.
  for (unsigned each = 0; each < count; ++each) decoys[each] = lockfast_malloc_isolated(size);
  auto* const placed = static_cast<std::byte*>(lockfast_malloc_isolated(size));
  for (void* const decoy : decoys) lockfast_free(decoy);
  // The decoys may have taken the last of what may be locked.
  return placed != nullptr || count == 0 ? placed : static_cast<std::byte*>(lockfast_malloc_isolated(size));
}

}  // namespace

std::expected<std::unique_ptr<share>, memory_error> ram_share::make(const share_content& content) {
  std::byte* const placed = place_for(content.size());
  if (placed == nullptr) return std::unexpected(memory_error::denied);
  std::unique_ptr<ram_share> made(new (std::nothrow) ram_share(placed, content.size()));
  if (made == nullptr) {
    lockfast_free(placed);
    return std::unexpected(memory_error::denied);
  }
  if (!content.put(made->here())) return std::unexpected(memory_error::denied);
  if (lockfast_protect(placed, LOCKFAST_NOACCESS) != 0) return std::unexpected(memory_error::denied);
  return made;
}

ram_share::~ram_share() {
  lockfast_free(next_);
  lockfast_free(bytes_);
}

std::expected<std::span<const std::byte>, memory_error> ram_share::open(purpose use, std::span<std::byte>) {
  if (bytes_ == nullptr) return std::unexpected(memory_error::wiped);
  if (lockfast_protect(bytes_, use == purpose::rewriting ? LOCKFAST_READWRITE : LOCKFAST_READONLY) != 0) {
    return std::unexpected(is_here() ? memory_error::denied : memory_error::unavailable);
  }
  return std::span<const std::byte>(bytes_, size_);
}

// A forked child has no receipt for what stayed with its parent.
bool ram_share::is_here() const { return lockfast_size(bytes_) == size_; }

void ram_share::close() {
  if (lockfast_protect(bytes_, LOCKFAST_NOACCESS) != 0) lockfast_breach(LOCKFAST_ACCESS_REFUSED);
}

result ram_share::prepare(const share_content& next, refresh_target where, std::shared_ptr<resting_file>&) {
  if (where == refresh_target::keep) {
    if (next.is_fresh() && !next.change(here())) return std::unexpected(memory_error::denied);
    return {};
  }
  next_ = place_for(size_);
  if (next_ == nullptr) return std::unexpected(memory_error::denied);
  if (next.put({next_, size_})) return {};
  lockfast_free(std::exchange(next_, nullptr));
  return std::unexpected(memory_error::denied);
}

void ram_share::abandon(const share_content& next) {
  if (next_ != nullptr) {
    lockfast_free(std::exchange(next_, nullptr));
  } else if (next.is_fresh()) {
    next.change_back(here());
  }
}

// The place that is left is wiped as it is freed.
void ram_share::commit(const share_content& next) {
  if (next_ != nullptr) {
    lockfast_free(std::exchange(bytes_, std::exchange(next_, nullptr)));
  } else if (!next.is_fresh()) {
    (void)next.put(here());  // a copy, which nothing refuses
  }
}

result ram_share::settle() { return {}; }

result ram_share::wipe() {
  lockfast_free(std::exchange(bytes_, nullptr));
  return {};
}

}  // namespace lockfast::internal
