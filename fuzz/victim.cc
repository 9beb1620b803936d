// victim.cc - the set-up, the harms and the calls that have to notice them.
#include "fuzz/victim.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "fuzz/probe.h"
#include "fuzz/victim_process.h"

namespace lockfast::fuzz {

namespace {

constexpr std::size_t canary_size = 16;
constexpr int reuse_attempts = 2000;  // more than any quarantine is long

}  // namespace

void victim::live() {
  set_up();
  control();
  if (plan_.what == corruption::after && !isolated()) behind_ = reach_behind();
  begin_harm();
  harm();
  notice(plan_.by);
}

void* victim::allocate(const block& wanted) {
  switch (wanted.how) {
    case block::way::malloc: return lockfast_malloc(wanted.size);
    case block::way::malloc_isolated: return lockfast_malloc_isolated(wanted.size);
    case block::way::calloc: return lockfast_calloc(1, wanted.size);
    case block::way::aligned_alloc: return lockfast_aligned_alloc(wanted.alignment, wanted.size);
    case block::way::compartment:
      if (keys_ == nullptr) keys_ = lockfast_compartment_create();
      return keys_ == nullptr ? nullptr : lockfast_compartment_malloc(keys_, wanted.size);
  }
  return nullptr;
}

void victim::set_up() {
  if (lockfast_configure(&plan_.options) != 0) leave(outcome::set_up_refused);
  for (const block& each : plan_.blocks) {
    void* secret = allocate(each);
    if (secret == nullptr) leave(outcome::set_up_refused);
    std::memset(secret, 0x40 + plan_.flip % 16, each.size);
    secrets_.push_back(secret);
  }
  target_ = static_cast<std::uint8_t*>(secrets_[plan_.target]);
}

void victim::control() {
  for (void* secret : secrets_)
    if (lockfast_check(secret) != 0) leave(outcome::control_failed);
  if (lockfast_audit() != 0) leave(outcome::control_failed);
  if (lockfast_describe(target_, &receipt_) != 0) leave(outcome::control_failed);
}

// ---- Where ----

std::size_t victim::canary_reach() const { return isolated() ? canary_size : 1; }

// As far as a secret of the size can grow where it lies, every byte behind it is canary; then there is one more, at least.
std::size_t victim::reach_behind() {
  if (wanted_.how == block::way::aligned_alloc) return 1;
  std::size_t size = wanted_.size;
  void* const first = allocate(wanted_);
  for (void* grown = first; grown == first; ++size) {
    grown = lockfast_realloc(first, size + 1);
    if (grown == nullptr) leave(outcome::set_up_refused);
    if (grown != first) lockfast_free(grown);
  }
  return size - wanted_.size;
}

std::uint8_t* victim::run() const { return reinterpret_cast<std::uint8_t*>(page_start(target_ - canary_size)); }

std::uint8_t* victim::in_secret_or_canary() const {
  return wanted_.size == 0 || plan_.between == 0 ? target_ - 1 - pick(canary_reach()) : target_ + pick(wanted_.size);
}

std::uint8_t* victim::inner() const {
  return (plan_.flip & 1) != 0 ? target_ + 1 + pick(wanted_.size) : target_ - 1 - pick(2 * canary_size);
}

void* victim::foreign() const {
  static std::uint8_t elsewhere[64];
  const auto at = [](std::uintptr_t address) { return reinterpret_cast<void*>(address); };
  switch (pick(9)) {
    case 0: return elsewhere + plan_.flip % sizeof elsewhere;
    case 1: return const_cast<std::size_t*>(&plan_.offset);
    case 2: return at(16);
    case 3: return at(UINTPTR_MAX - plan_.flip);
    case 4: return at(std::uintptr_t{1} << 63 | plan_.flip);
    case 5: return run();
    case 6: return end() + 1 + plan_.flip;
    case 7: return at(number(target_) ^ std::uintptr_t{1} << (20 + plan_.flip % 27));
    default: return mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
}

bool victim::reading() const {
  return plan_.what == corruption::read_after || plan_.what == corruption::freed_read ||
         plan_.what == corruption::no_access_read;
}

// ---- Harm ----

void victim::harm() {
  switch (plan_.what) {
    case corruption::none: end_clean();
    case corruption::canary: return change_canary();
    case corruption::another_canary: return copy_another_canary();
    case corruption::earlier_canary: return restore_earlier_canary();
    case corruption::padding: return change_zeros();
    case corruption::far_before: return change_far_before();
    case corruption::after:
    case corruption::read_after: return touch_after();
    case corruption::freed_write:
    case corruption::freed_read: return touch_freed();
    case corruption::moved_write: return touch_moved();
    case corruption::double_free: notice_second_free();
    case corruption::interior_pointer: notice_pointer(inner());
    case corruption::invalid_pointer: notice_pointer(foreign());
    case corruption::no_access_read:
    case corruption::no_access_write:
    case corruption::read_only_write: return touch_against_access();
  }
}

void victim::change_canary() { change(target_ - 1 - pick(canary_reach()), plan_.flip); }

void victim::copy_another_canary() {
  const auto* const other = static_cast<const std::uint8_t*>(secrets_[(plan_.target + 1) % secrets_.size()]);
  if (other == target_ || !isolated()) leave(outcome::not_applicable);
  std::memcpy(target_ - canary_size, other - canary_size, canary_size);
}

void victim::restore_earlier_canary() {
  if (!isolated()) leave(outcome::not_applicable);
  std::uint8_t earlier[canary_size];
  std::memcpy(earlier, target_ - canary_size, canary_size);
  lockfast_free(target_);
  for (int i = 0; i < reuse_attempts; ++i) {
    void* const again = allocate(wanted_);
    if (again == target_) {
      std::memcpy(target_ - canary_size, earlier, canary_size);
      return;
    }
    lockfast_free(again);
  }
  leave(outcome::not_applicable);
}

void victim::change_zeros() {
  const auto zeros = static_cast<std::size_t>(target_ - canary_size - run());
  if (!isolated() || zeros == 0) leave(outcome::not_applicable);
  change(run() + pick(zeros), plan_.flip);
  notice(plan_.by == noticing::audit ? noticing::audit : noticing::check);
}

void victim::change_far_before() {
  if (!isolated()) leave(outcome::not_applicable);
  change(run() - 1 - pick(page_size()), plan_.flip);
  notice(plan_.by == noticing::audit ? noticing::audit : noticing::check);
}

void victim::touch_after() {
  const bool flush = number(end()) % page_size() == 0;
  if (reading() && (!isolated() || !flush)) leave(outcome::not_applicable);
  std::uint8_t* const at = end() + pick(isolated() ? page_size() : behind_);
  reading() ? read(at) : change(at, plan_.flip);
}

void victim::touch_freed() {
  if (reading() && (!isolated() || plan_.options.freed == LOCKFAST_FREED_RECYCLE)) leave(outcome::not_applicable);
  lockfast_free(target_);
  reading() ? read(in_secret_or_canary()) : change(in_secret_or_canary(), plan_.flip);
  wait_for_reuse();
}

void victim::touch_moved() {
  const auto* const moved =
      static_cast<const std::uint8_t*>(lockfast_realloc(target_, wanted_.size + 1 + pick(3 * page_size())));
  if (moved == nullptr) leave(outcome::set_up_refused);
  if (lockfast_size(target_) != 0 || run() == reinterpret_cast<std::uint8_t*>(page_start(moved - canary_size)))
    leave(outcome::not_applicable);  // the new place is the old one, in part
  change(in_secret_or_canary(), plan_.flip);
  wait_for_reuse();
}

void victim::touch_against_access() {
  const bool none = plan_.what != corruption::read_only_write;
  if ((!isolated() && !in_compartment()) || wanted_.size == 0) leave(outcome::not_applicable);
  if (lockfast_protect(target_, none ? LOCKFAST_NOACCESS : LOCKFAST_READONLY) != 0) leave(outcome::control_failed);
  std::uint8_t* const at = target_ + pick(wanted_.size);
  reading() ? read(at) : change(at, plan_.flip);
  leave(outcome::unnoticed);
}

// ---- Notice ----

void victim::end_clean() {
  for (void* secret : secrets_) {
    if (lockfast_protect(secret, LOCKFAST_READONLY) != 0 && errno != ENOTSUP) leave(outcome::control_failed);
    lockfast_free(secret);
  }
  struct lockfast_statistics after{};
  lockfast_get_statistics(&after);
  leave(after.live == 0 ? outcome::clean : outcome::control_failed);
}

void victim::notice(noticing by) {
  std::size_t damaged = 0;
  // A closed compartment's secrets are verified as an open one's are.
  if (in_compartment() && (plan_.flip & 2) != 0 && lockfast_compartment_protect(keys_, LOCKFAST_NOACCESS) != 0)
    leave(outcome::control_failed);
  switch (by) {
    case noticing::free: lockfast_free(target_); leave(outcome::unnoticed);
    case noticing::audit:
      damaged = lockfast_audit();
      if (damaged == 0) leave(outcome::unnoticed);
      leave(damaged == 1 || !isolated() ? outcome::noticed : outcome::wrong_answer);
    case noticing::protect:
      if (isolated()) leave(lockfast_protect(target_, LOCKFAST_READONLY) == 0 ? outcome::unnoticed : outcome::wrong_answer);
      [[fallthrough]];
    case noticing::check:
    case noticing::realloc:  // which promises nothing of canaries
      if (lockfast_check(target_) == 0) leave(outcome::unnoticed);
      leave(errno == EFAULT ? outcome::noticed : outcome::wrong_answer);
  }
  leave(outcome::unnoticed);
}

void victim::notice_pointer(void* pointer) {
  if (lockfast_describe(pointer, &receipt_) == 0) leave(outcome::not_applicable);  // it is another secret's own
  if (plan_.by == noticing::protect) {
    if (lockfast_protect(pointer, LOCKFAST_READWRITE) == 0) leave(outcome::unnoticed);
    leave(errno == EINVAL ? outcome::noticed : outcome::wrong_answer);
  }
  if (plan_.by == noticing::realloc) {
    if (lockfast_realloc(pointer, wanted_.size + 1) != nullptr) leave(outcome::unnoticed);
    leave(errno == EINVAL ? outcome::noticed : outcome::wrong_answer);
  }
  lockfast_free(pointer);
  leave(outcome::unnoticed);
}

void victim::notice_second_free() {
  lockfast_free(target_);
  for (std::size_t i = 0; i < plan_.between; ++i)
    if (allocate(wanted_) == target_) leave(outcome::not_applicable);  // it is a live secret's again
  notice_pointer(target_);
}

// Requires a change of a freed secret that did not trap: it is found when the bytes are used again.
void victim::wait_for_reuse() {
  for (int i = 0; i < reuse_attempts; ++i) lockfast_free(allocate(wanted_));
  leave(outcome::unnoticed);
}

}  // namespace lockfast::fuzz
