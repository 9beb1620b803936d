// operations.cc - the operations that succeed.
#include <algorithm>
#include <cerrno>

#include "fuzz/probe.h"
#include "fuzz/session.h"

namespace lockfast::fuzz {

namespace {

constexpr int map_flags_sampling = 16;  // the reading of smaps is asked for that often before it happens again

}  // namespace

claims_model& session::claims() {
  static claims_model shared;
  return shared;
}

std::pair<std::size_t, std::size_t> session::range(std::size_t size) {
  const std::size_t offset = input_.below(size + 1);
  const std::size_t rest = size - offset;
  return {offset, input_.next() % 4 == 0 ? input_.below(rest + 1) : input_.below(rest < 64 ? rest + 1 : 64)};
}

// Ends at most two bytes off a page boundary as often as not: there a claim decides over a page.
std::size_t session::claim_bound() {
  const std::size_t choice = input_.below(10);
  const std::size_t page = input_.below(claims_model::page_count + 1) * page_size();
  if (choice >= 5) return input_.below(claims().size() + 1);
  return std::clamp(page + choice, std::size_t{2}, claims().size() + 2) - 2;
}

std::pair<std::size_t, std::size_t> session::claim_range() {
  const std::size_t a = claim_bound();
  const std::size_t b = claim_bound();
  return {std::min(a, b), std::max(a, b) - std::min(a, b)};
}

void session::take_in(void* address, std::uint8_t filling, std::size_t alignment) {
  if (address == nullptr) disagree("%zu bytes are refused: %s", size_, std::strerror(errno));
  expect_errno_kept("an allocation");
  secrets_.admit(address, std::vector<std::uint8_t>(size_, filling), alignment);
}

void session::malloc() {
  take_in(lockfast_malloc(size_), 0);
  if (secrets_.live().back().isolated() != (size_ > max_grouped))
    disagree("%zu bytes are placed otherwise than they are", size_);
}

void session::malloc_isolated() {
  take_in(lockfast_malloc_isolated(size_), 0);
  if (!secrets_.live().back().isolated()) disagree("malloc_isolated does not isolate");
}

void session::calloc() {
  const std::size_t count = 1 + input_.below(8);
  const std::size_t each = size_ / count;
  size_ = count * each;
  take_in(input_.next() % 2 == 0 ? lockfast_calloc(count, each) : lockfast_calloc(each, count), 0);
}

void session::aligned_alloc() {
  const std::size_t alignment = std::size_t{1} << input_.below(16);
  take_in(lockfast_aligned_alloc(alignment, size_), 0, alignment);
  const bool fits = alignment <= grouped_alignment && size_ + alignment <= max_grouped;
  if (fits && secrets_.live().back().isolated()) disagree("%zu bytes at a multiple of %zu are isolated", size_, alignment);
}

void session::realloc() {
  const std::size_t index = choose();
  size_ = input_.secret_size(page_size());
  errno = 0;
  void* address = lockfast_realloc(secrets_.live()[index].address, size_);
  if (address == nullptr) disagree("realloc to %zu bytes is refused: %s", size_, std::strerror(errno));
  expect_errno_kept("realloc");
  secrets_.move(index, address, size_);
}

void session::free() { secrets_.free(choose()); }

void session::free_nothing() {
  lockfast_free(nullptr);
  expect_errno_kept("free of NULL");
}

void session::protect() {
  secret& one = secrets_.live()[choose()];
  const auto access = static_cast<lockfast_access>(input_.below(3));
  const int result = lockfast_protect(one.address, access);
  if (one.isolated() || one.home != nullptr) {
    expect(result, 0, "protect");
    expect_errno_kept("protect");
    one.access = access;
    for (compartment& each : compartments_)
      if (each.handle == one.home) change_access(each, access);
  } else {
    expect_refusal(result == -1, ENOTSUP, "protect of a grouped secret");
  }
  secrets_.verify(one);
}

void session::check() {
  const secret& one = secrets_.live()[choose()];
  expect(lockfast_check(one.address), 0, "check");
  expect_errno_kept("check");
  secrets_.verify(one);
}

void session::audit() {
  const std::size_t damaged = lockfast_audit();
  if (damaged != 0) disagree("audit finds %zu unharmed secrets damaged", damaged);
  expect_errno_kept("audit");
  secrets_.verify_all();
}

void session::describe() { secrets_.verify(secrets_.live()[choose()]); }

void session::trim() {
  struct lockfast_statistics before{}, after{};
  lockfast_get_statistics(&before);
  const std::size_t given = lockfast_trim();
  lockfast_get_statistics(&after);
  if (after.bytes_locked + given < before.bytes_locked) disagree("trim unlocks more than it says: %zu", given);
  if (lockfast_trim() != 0) disagree("trim leaves pages that a second one finds");
  expect_errno_kept("trim");
  if (secrets_.live().empty() && after.bytes_locked != 0) {
    disagree("%zu bytes stay locked for nothing", after.bytes_locked);
  }
  secrets_.verify_all();
}

void session::write() {
  secret& one = secrets_.live()[choose()];
  const auto [offset, length] = range(one.contents.size());
  const std::uint8_t value = input_.next();
  if (!one.open()) return skip();
  for (std::size_t i = offset; i < offset + length; ++i)
    one.contents[i] = one.address[i] = static_cast<std::uint8_t>(value + i);
}

void session::wipe() {
  secret& one = secrets_.live()[choose()];
  const auto [offset, length] = range(one.contents.size());
  if (!one.open()) return skip();
  lockfast_wipe(one.address + offset, length);
  std::fill_n(one.contents.begin() + static_cast<std::ptrdiff_t>(offset), length, std::uint8_t{0});
  secrets_.verify(one);
}

void session::equal() {
  const secret& one = secrets_.live()[choose()];
  const std::size_t difference = input_.below(2 * one.contents.size() + 1);
  if (one.access == LOCKFAST_NOACCESS) return skip();
  std::vector<std::uint8_t> other = one.contents;
  const bool same = difference >= other.size();
  if (!same) other[difference] ^= static_cast<std::uint8_t>(1U << input_.below(8));
  expect(lockfast_equal(one.address, other.data(), other.size()), same ? 1 : 0, "equal");
}

void session::wipe_all() {
  lockfast_wipe_all();
  expect_errno_kept("wipe_all");
  for (secret& one : secrets_.live()) one.contents.assign(one.contents.size(), 0);
  secrets_.verify_all();
}

void session::claim() {
  const auto [offset, length] = claim_range();
  claims().lock(offset, length);
}

void session::unclaim() {
  const auto [offset, length] = claim_range();
  claims().unlock(offset, length);
}

void session::write_claimed() {
  const auto [offset, length] = claim_range();
  claims().fill(offset, length, input_.next());
}

void session::wipe_claimed() {
  const auto [offset, length] = claim_range();
  claims().wipe(offset, length);
}

void session::map_flags() {
  static int asked = 0;
  if (asked++ % map_flags_sampling != 0) return skip();
  claims().verify_map_flags();
  secrets_.verify_map_flags();
}

}  // namespace lockfast::fuzz
