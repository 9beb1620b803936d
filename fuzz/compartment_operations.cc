// compartment_operations.cc - the operations on compartments: one access for all the secrets of each.
#include <cerrno>

#include "fuzz/probe.h"
#include "fuzz/session.h"

namespace lockfast::fuzz {

namespace {

constexpr std::size_t compartment_limit = 20;  // more than any processor has protection keys
constexpr std::size_t max_in_compartment = std::size_t{1} << 30;

}  // namespace

void session::compartment_create() {
  if (compartments_.size() == compartment_limit) return skip();
  auto* const made = lockfast_compartment_create();
  if (made == nullptr) disagree("a compartment is refused: %s", std::strerror(errno));
  expect_errno_kept("compartment_create");
  compartments_.push_back({made, LOCKFAST_READWRITE});
}

void session::compartment_destroy() { destroy(input_.below(compartments_.size())); }

void session::destroy(std::size_t index) {
  const compartment gone = compartments_[index];
  compartments_.erase(compartments_.begin() + static_cast<std::ptrdiff_t>(index));
  errno = 0;
  lockfast_compartment_destroy(gone.handle);
  expect_errno_kept("compartment_destroy");
  secrets_.remove_all_in(gone.handle);
  secrets_.verify_statistics();
}

void session::compartment_malloc() {
  const compartment& in = choose_compartment();
  void* const address = lockfast_compartment_malloc(in.handle, size_);
  if (address == nullptr) disagree("%zu bytes in a compartment are refused: %s", size_, std::strerror(errno));
  expect_errno_kept("compartment_malloc");
  secrets_.admit_in(in.handle, in.access, address, std::vector<std::uint8_t>(size_, 0));
}

void session::compartment_protect() {
  compartment& of = choose_compartment();
  const auto access = static_cast<lockfast_access>(input_.below(3));
  expect(lockfast_compartment_protect(of.handle, access), 0, "compartment_protect");
  expect_errno_kept("compartment_protect");
  change_access(of, access);
}

void session::change_access(compartment& of, lockfast_access access) {
  of.access = access;
  secrets_.change_access(of.handle, access);
}

void session::refuse_compartment_size() {
  const compartment& in = choose_compartment();
  const std::size_t size = max_in_compartment + 1 + input_.below(2 * page_size());
  expect_refusal(lockfast_compartment_malloc(in.handle, size) == nullptr, ENOMEM, "more than a compartment takes");
  expect_refusal(lockfast_compartment_protect(in.handle, static_cast<lockfast_access>(3)) == -1, EINVAL,
                 "an access that does not exist");
  secrets_.verify_statistics();
}

}  // namespace lockfast::fuzz
