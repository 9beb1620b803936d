// held_secret.cc - the verifications of one secret.
#include "stress/held_secret.h"

#include <lockfast/sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "support/page_state.h"
#include "support/reach.h"

namespace lockfast::stress {
namespace {

constexpr std::size_t canary_size = 16;
constexpr std::uint8_t drop_in_value = 0xdb;
thread_local const char* deed = "nothing yet";

}  // namespace

void disagree(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  dprintf(STDERR_FILENO, "disagreement: %s; during: %s\n", line, deed);
  _exit(1);
}

void doing(const char* what) { deed = what; }

std::uint8_t held_secret::byte_at(std::size_t index) const {
  if (index >= written_) return 0;
  std::uint32_t mixed = seed_ + static_cast<std::uint32_t>(index / 4) * 0x9e3779b9;
  mixed = (mixed ^ (mixed >> 16)) * 0x85ebca6b;
  mixed ^= mixed >> 13;
  return static_cast<std::uint8_t>(mixed >> (index % 4 * 8));
}

held_secret::held_secret(void* address, std::size_t size, origin from, std::uint32_t seed)
    : address_(static_cast<std::uint8_t*>(address)), size_(size), from_(from) {
  const std::uint8_t value = from == origin::drop_in ? drop_in_value : 0;
  for (std::size_t at = 0; at < size; ++at) {
    if (address_[at] != value) disagree("byte %zu of %zu new ones is %02x, not %02x", at, size, address_[at], value);
  }
  placement_ = receipt().placement;
  write(seed);
}

held_secret::held_secret(void* address, std::size_t size, struct lockfast_compartment* within, lockfast_access access,
                         std::uint32_t seed)
    : address_(static_cast<std::uint8_t*>(address)),
      size_(size),
      from_(origin::compartment),
      access_(access),
      within_(within) {
  read();
  write(seed);
}

void held_secret::write(std::uint32_t seed) {
  if (access_ != LOCKFAST_READWRITE) return;
  seed_ = seed;
  written_ = size_;
  for (std::size_t at = 0; at < size_; ++at) address_[at] = byte_at(at);
}

void held_secret::expect_contents(const char* when) const {
  for (std::size_t at = 0; at < size_; ++at) {
    if (address_[at] != byte_at(at)) disagree("%s, byte %zu of %zu is %02x, not %02x", when, at, size_, address_[at], byte_at(at));
  }
}

void held_secret::read() const {
  if (access_ != LOCKFAST_NOACCESS) expect_contents("read");
}

void held_secret::check() const {
  if (lockfast_check(address_) != 0) disagree("check of an unharmed secret of %zu bytes: %s", size_, std::strerror(errno));
}

lockfast_receipt held_secret::receipt() const {
  lockfast_receipt found = {};
  if (lockfast_describe(address_, &found) != 0) disagree("a live secret has no receipt: %s", std::strerror(errno));
  return found;
}

void held_secret::describe() const {
  const lockfast_receipt found = receipt();
  if (found.size != size_ || lockfast_size(address_) != size_) disagree("the size is %zu, not %zu", found.size, size_);
  if (found.placement != placement_) disagree("the placement is %d, not %d", found.placement, placement_);
  // Another thread's audit or trim may have a compartment open for a moment.
  if (within_ == nullptr && found.access != access_) disagree("the access is %d, not %d", found.access, access_);
}

int held_secret::set_access(lockfast_access to) {
  if (from_ != origin::drop_in) return lockfast_protect(address_, to);
  if (to == LOCKFAST_NOACCESS) return sodium_mprotect_noaccess(address_);
  return to == LOCKFAST_READONLY ? sodium_mprotect_readonly(address_) : sodium_mprotect_readwrite(address_);
}

void held_secret::protect(lockfast_access to, const configuration& in) {
  if (within_ != nullptr) return;  // has that of its compartment
  const bool changes = placement_ == LOCKFAST_ISOLATED || from_ == origin::drop_in;
  if (set_access(to) == 0) {
    if (!changes) disagree("access %d of a grouped secret was set", to);
    access_ = to;
  } else if (changes ? !(in.is_tight() && errno == ENOMEM) : errno != ENOTSUP) {
    disagree("access %d of a secret of %zu bytes that has access %d: %s", to, size_, access_, std::strerror(errno));
  }
}

bool held_secret::resize(std::size_t size, const configuration& in) {
  auto* const moved = static_cast<std::uint8_t*>(lockfast_realloc(address_, size));
  if (moved == nullptr) {
    if (errno != ENOMEM || !in.is_tight()) disagree("resize of %zu to %zu bytes: %s", size_, size, std::strerror(errno));
    return false;
  }
  address_ = moved;
  size_ = size;
  written_ = std::min(written_, size);
  placement_ = receipt().placement;
  read();
  return true;
}

void held_secret::release() {
  if (from_ == origin::drop_in) {
    sodium_free(address_);
  } else {
    lockfast_free(address_);
  }
  *this = {};
}

// ---- When nothing else happens ----------------------------------------------------------------------------------------------

void held_secret::expect_access() const {
  const lockfast_receipt found = receipt();
  if (found.access != access_) disagree("the access is %d, not %d", found.access, access_);
  if (size_ == 0 || found.access_error == EBUSY) return;  // as open as its neighbour
  for (std::uint8_t* const at : {address_, address_ + size_ - 1}) {
    const bool readable = readable_here(at);
    const bool writable = writable_here(at);
    if (readable != (access_ != LOCKFAST_NOACCESS) || writable != (access_ == LOCKFAST_READWRITE)) {
      disagree("byte %td of %zu has access %d, but readable is %d and writable is %d", at - address_, size_, access_, readable,
               writable);
    }
  }
  if (found.rest == LOCKFAST_OPEN && access_ == LOCKFAST_NOACCESS) disagree("a closed secret rests open");
}

// An isolated secret has a guard page on either side; its canary may be in a page of its own.
void held_secret::expect_guards() const {
  if (placement_ != LOCKFAST_ISOLATED || from_ == origin::aligned) return;
  if (readable_here(address_ + size_)) disagree("no trap behind %zu bytes", size_);
  if (readable_here(page_of(address_ - canary_size) - 1)) disagree("no trap in front of %zu bytes", size_);
}

template <class Act>
void held_secret::while_readable(const configuration& in, Act act) {
  if (access_ != LOCKFAST_NOACCESS) return act();
  const auto set = [&](lockfast_access to) {
    return within_ != nullptr ? lockfast_compartment_protect(within_, to) : set_access(to);
  };
  if (set(LOCKFAST_READONLY) != 0) {
    if (errno != ENOMEM || !in.is_tight()) disagree("%zu bytes can't be opened: %s", size_, std::strerror(errno));
    return;
  }
  act();
  if (set(LOCKFAST_NOACCESS) != 0) disagree("%zu bytes can't be closed again: %s", size_, std::strerror(errno));
}

void held_secret::verify(const configuration& in) {
  describe();
  expect_access();
  expect_guards();
  check();
  while_readable(in, [&] { expect_contents("at a pause"); });
  expect_access();
}

// A sealed secret has no pages, an absent one no receipt.
void held_secret::compare(const fuzz::map_flags& flags) const {
  lockfast_receipt found = {};
  if (empty() || size_ == 0 || lockfast_describe(address_, &found) != 0 || found.rest == LOCKFAST_SEALED) return;
  for (const std::uint8_t* const at : {address_, address_ + size_ - 1}) {
    const auto* const map = flags.find(at);
    if (map == nullptr) disagree("a secret is not mapped");
    if (found.backing == LOCKFAST_LOCKED && fuzz::locks_are_real() && !map->locked) disagree("a secret is not locked");
    // By the pages: the backing is that of the weakest pages that a secret had while it was open.
    if ((found.hide_error == 0) != map->hidden) disagree("the receipt is wrong about hiding");
    if (found.dump_error == 0 && !map->undumpable && !map->hidden) disagree("a secret's pages would be in a core dump");
  }
}

// ---- In a child -------------------------------------------------------------------------------------------------------------

void held_secret::verify_in_child(const configuration& in) {
  const lockfast_fork policy = from_ == origin::drop_in ? in.drop_in_fork : in.native_fork;
  lockfast_receipt found = {};
  const bool present = lockfast_describe(address_, &found) == 0;
  if (present == (policy == LOCKFAST_FORK_ABSENT) && (present || !in.is_tight())) {
    disagree("a secret of %zu bytes is %s in a child", size_, present ? "present" : "absent");
  }
  if (!present) {
    if (size_ != 0 && readable_here(address_)) disagree("a child can read what is absent in it");
    return;
  }
  if (policy == LOCKFAST_FORK_WIPE) written_ = 0;
  while_readable(in, [&] { expect_contents("in a child"); });
}

}  // namespace lockfast::stress
