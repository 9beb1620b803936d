// refused_operations.cc - the operations that must be refused, with the errno of the header, and leave all as it was.
#include <cerrno>

#include "fuzz/probe.h"
#include "fuzz/session.h"

namespace lockfast::fuzz {

void session::configure() {
  struct lockfast_statistics now{};
  lockfast_get_statistics(&now);
  if (now.allocations == 0) return skip();
  const lockfast_options options{};
  expect_refusal(lockfast_configure(&options) == -1, EBUSY, "configure after an allocation");
}

void session::refuse_size() {
  const std::size_t less = input_.below(2 * page_size());
  const std::size_t size = (input_.next() % 2 == 0 ? SIZE_MAX : std::size_t{PTRDIFF_MAX} + page_size()) - less;
  struct lockfast_statistics before{}, after{};
  lockfast_get_statistics(&before);
  void* address = nullptr;
  switch (input_.below(6)) {
    case 0: address = lockfast_malloc(size); break;
    case 1: address = lockfast_malloc_isolated(size); break;
    case 2: address = lockfast_calloc(1 + less, size); break;
    case 3: address = lockfast_calloc(size, 1 + less); break;
    case 4: address = lockfast_aligned_alloc(std::size_t{1} << input_.below(14), size); break;
    default:
      if (secrets_.live().empty()) return skip();
      const secret& one = secrets_.live()[choose()];
      address = lockfast_realloc(one.address, size);
      expect_refusal(address == nullptr, ENOMEM, "realloc to more than there is");
      secrets_.verify(one);
      return;
  }
  expect_refusal(address == nullptr, ENOMEM, "more than there is");
  lockfast_get_statistics(&after);
  if (after.refusals == before.refusals) disagree("a refusal is not counted");
  if (after.bytes_reserved != before.bytes_reserved) disagree("a refusal leaves address space reserved");
}

void session::refuse_alignment() {
  std::size_t alignment = input_.below(1U << 16);
  if ((alignment & (alignment - 1)) == 0 && alignment != 0) alignment = alignment < 3 ? 3 : alignment + 1;
  expect_refusal(lockfast_aligned_alloc(alignment, size_) == nullptr, EINVAL, "an alignment that is no power of two");
}

void session::refuse_access() {
  const secret& one = secrets_.live()[choose()];
  const int result = lockfast_protect(one.address, static_cast<lockfast_access>(3));
  if (one.isolated() || one.home != nullptr) expect_refusal(result == -1, EINVAL, "an access that does not exist");
  if (!one.isolated() && result != -1) disagree("a grouped secret is protected");
  secrets_.verify(one);
}

void session::refuse_pointer() {
  const secret& one = secrets_.live()[choose()];
  const std::size_t away = 1 + input_.below(one.contents.size() + 64);
  const std::uint8_t* const inner = input_.next() % 2 == 0 ? one.address + away : one.address - away;
  if (secrets_.is_live(inner)) return skip();
  lockfast_receipt receipt;
  if (lockfast_size(inner) != 0 || lockfast_size(nullptr) != 0) disagree("no secret, but it has a size");
  expect_refusal(lockfast_check(inner) == -1, EINVAL, "check of no secret");
  expect_refusal(lockfast_describe(inner, &receipt) == -1, EINVAL, "describe of no secret");
}

void session::refuse_claim() {
  const std::size_t offset = input_.below(claims().size());
  if (input_.next() % 2 == 0)
    claims().lock_across_the_end(offset);
  else
    claims().lock_past_all_addresses(offset);
}

}  // namespace lockfast::fuzz
