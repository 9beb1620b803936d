// actor.cc - what each verb does.
#include "stress/actor.h"

#include <fcntl.h>
#include <lockfast/sodium.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "support/page_state.h"
#include "support/patience.h"

namespace lockfast::stress {
namespace {

constexpr lockfast_access access_of(std::uint32_t amount) { return static_cast<lockfast_access>(amount % 3); }

// What a thread has in its parts of the claimed memory.
constexpr std::uint8_t claimed_byte(std::size_t part) { return static_cast<std::uint8_t>(part + 1); }

}  // namespace

shared_things::shared_things(const configuration& chosen) : in(chosen) {
  void* const pages =
      mmap(nullptr, claimed_pages * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) disagree("no memory to claim");
  claimed = static_cast<std::uint8_t*>(pages);
}

std::size_t shared_things::part_size() const { return claimed_pages * page_size() / part_count; }

void tally::add(const held_secret& one) {
  if (one.empty()) return;
  lockfast_receipt found = {};
  if (lockfast_describe(one.address(), &found) != 0) disagree("a live secret has no receipt: %s", std::strerror(errno));
  (found.placement == LOCKFAST_ISOLATED ? isolated : grouped) += 1;
  bytes += one.size();
  if (found.rest == LOCKFAST_SEALED) {
    sealed += 1;
    bytes_sealed += one.size();
  }
  // That of a sealed one is its key's.
  if (found.backing == LOCKFAST_HIDDEN) {
    hidden += 1;
  } else if (found.backing == LOCKFAST_UNLOCKED) {
    unlocked += 1;
  }
}

void tally::add(const tally& other) {
  isolated += other.isolated;
  grouped += other.grouped;
  hidden += other.hidden;
  unlocked += other.unlocked;
  sealed += other.sealed;
  bytes += other.bytes;
  bytes_sealed += other.bytes_sealed;
  refusals += other.refusals;
}

actor::actor(shared_things& shared, std::size_t number, std::size_t place_count)
    : shared_(shared), number_(number), secrets_(place_count) {}

void actor::perform(const operation& one) {
  held_secret& place = secrets_[one.place % secrets_.size()];
  held_compartment& compartment = compartments_[one.place % compartments_.size()];
  if (one.what <= verb::allocate_in) {
    if (place.empty()) fill(place, one);
    return;
  }
  switch (one.what) {
    case verb::make_compartment:
      if (compartment.handle != nullptr) return;
      compartment = {lockfast_compartment_create()};
      if (compartment.handle != nullptr) return;
      if (errno != ENOMEM || !shared_.in.is_tight()) disagree("no compartment: %s", std::strerror(errno));
      ++refusals_;
      return;
    case verb::end_compartment: return end_compartment(compartment);
    case verb::protect_compartment: return protect_compartment(compartment, access_of(one.amount));
    case verb::claim: return claim(one);
    case verb::unclaim: return unclaim(one);
    case verb::trim: return (void)lockfast_trim();
    case verb::audit:
      if (const std::size_t damaged = lockfast_audit(); damaged != 0) disagree("an audit finds %zu damaged", damaged);
      return;
    case verb::count: return count();
    case verb::fork: return fork_and_verify();
    case verb::hand_over: {
      held_secret& box = shared_.boxes[one.amount % shared_.boxes.size()];
      const std::scoped_lock held(shared_.mutex);
      // The access to a compartment is its thread's own.
      if (place.within() == nullptr) std::swap(place, box);
      return;
    }
    default: break;
  }
  if (place.empty()) return;
  switch (one.what) {
    case verb::write: return place.write(one.amount);
    case verb::read: return place.read();
    case verb::protect: return place.protect(access_of(one.amount), shared_.in);
    case verb::resize: refusals_ += place.resize(one.amount, shared_.in) ? 0U : 1U; return;
    case verb::check: return place.check();
    case verb::describe: return place.describe();
    case verb::release: return place.release();
    default: disagree("no such verb");
  }
}

// ---- Allocation -------------------------------------------------------------------------------------------------------------

void actor::fill(held_secret& place, const operation& one) {
  if (one.what == verb::allocate_in) return allocate_in(place, one);
  std::size_t size = one.amount;
  void* made = nullptr;
  origin from = origin::native;
  if (one.what == verb::allocate) {
    made = lockfast_malloc(size);
  } else if (one.what == verb::allocate_array) {
    size -= size % 3;
    made = lockfast_calloc(3, size / 3);
  } else if (one.what == verb::allocate_isolated) {
    from = origin::isolated;
    made = lockfast_malloc_isolated(size);
  } else if (one.what == verb::allocate_aligned) {
    from = origin::aligned;
    const std::size_t alignment = std::size_t{1} << (one.place % 14);
    made = lockfast_aligned_alloc(alignment, size);
    if (made != nullptr && address_of(made) % alignment != 0) disagree("%p is not aligned to %zu", made, alignment);
  } else {
    from = origin::drop_in;
    made = sodium_malloc(size);
  }
  if (made != nullptr) {
    place = held_secret(made, size, from, one.amount ^ one.place);
  } else if (errno == ENOMEM && shared_.in.is_tight()) {
    ++refusals_;
  } else {
    disagree("%zu bytes: %s", size, std::strerror(errno));
  }
}

void actor::allocate_in(held_secret& place, const operation& one) {
  const held_compartment& within = compartments_[one.place % compartments_.size()];
  if (within.handle == nullptr) return;
  void* const made = lockfast_compartment_malloc(within.handle, one.amount);
  if (made != nullptr) {
    place = held_secret(made, one.amount, within.handle, within.access, one.amount ^ one.place);
  } else if (errno == ENOMEM && shared_.in.is_tight()) {
    ++refusals_;
  } else {
    disagree("%u bytes of a compartment: %s", one.amount, std::strerror(errno));
  }
}

// ---- Compartments -----------------------------------------------------------------------------------------------------------

void actor::follow(const held_compartment& changed) {
  for (held_secret& one : secrets_) {
    if (one.within() == changed.handle && !one.empty()) one.follow(changed.access);
  }
}

void actor::protect_compartment(held_compartment& which, lockfast_access to) {
  if (which.handle == nullptr) return;
  if (lockfast_compartment_protect(which.handle, to) == 0) {
    which.access = to;
    follow(which);
  } else if (errno != ENOMEM || !shared_.in.is_tight()) {
    disagree("access %d of a compartment: %s", to, std::strerror(errno));
  }
}

void actor::end_compartment(held_compartment& which) {
  if (which.handle == nullptr) return;
  for (held_secret& one : secrets_) {
    if (one.within() == which.handle) one = {};
  }
  lockfast_compartment_destroy(which.handle);
  which = {};
}

// ---- The caller's own memory ------------------------------------------------------------------------------------------------

void actor::claim(const operation& one) {
  const std::size_t part = one.amount % (shared_things::part_count / thread_count) * thread_count + number_;
  std::uint8_t* const begin = shared_.claimed + part * shared_.part_size();
  if (lockfast_mlock(begin, shared_.part_size()) == 0) {
    claims_[part] = true;
    std::memset(begin, claimed_byte(part), shared_.part_size());
  } else if (errno != ENOMEM || !shared_.in.is_tight()) {
    disagree("a claim of %zu bytes: %s", shared_.part_size(), std::strerror(errno));
  }
}

void actor::unclaim(const operation& one) {
  const std::size_t part = one.amount % (shared_things::part_count / thread_count) * thread_count + number_;
  if (!claims_[part]) return;
  std::uint8_t* const begin = shared_.claimed + part * shared_.part_size();
  if (lockfast_munlock(begin, shared_.part_size()) != 0) {
    if (shared_.in.maps_left == 0 || errno != ENOMEM) disagree("a claim given up: %s", std::strerror(errno));
    shared_.claims_stay_locked = true;
  }
  claims_[part] = false;
  if (!std::all_of(begin, begin + shared_.part_size(), [](std::uint8_t byte) { return byte == 0; })) {
    disagree("bytes of a claim that was given up are not wiped");
  }
}

std::size_t actor::claimed_pages_of(std::array<bool, shared_things::claimed_pages>& claimed) const {
  for (std::size_t part = 0; part < claims_.size(); ++part) {
    if (claims_[part]) claimed[part * shared_.part_size() / page_size()] = true;
  }
  return static_cast<std::size_t>(std::ranges::count(claimed, true));
}

// ---- All secrets ------------------------------------------------------------------------------------------------------------

void actor::count() const {
  struct lockfast_statistics now = {};
  lockfast_get_statistics(&now);
  if (now.live_isolated + now.live_grouped != now.live) disagree("isolated and grouped are not all");
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (lockfast_report(nowhere) != 0) disagree("no report: %s", std::strerror(errno));
  close(nowhere);
}

void actor::verify() {
  doing("a pause");
  for (held_secret& one : secrets_) {
    if (!one.empty()) one.verify(shared_.in);
  }
  for (std::size_t part = 0; part < claims_.size(); ++part) {
    const std::uint8_t* const begin = shared_.claimed + part * shared_.part_size();
    if (claims_[part] && !std::all_of(begin, begin + shared_.part_size(), [&](std::uint8_t byte) { return byte == claimed_byte(part); })) {
      disagree("claimed bytes have changed");
    }
  }
}

tally actor::counted() const {
  tally all = {.refusals = refusals_};
  for (const held_secret& one : secrets_) all.add(one);
  return all;
}

void actor::release_all() {
  doing("the end");
  for (held_compartment& each : compartments_) end_compartment(each);
  // First what is open: then there is room to open what is sealed.
  for (held_secret& one : secrets_) {
    if (!one.empty() && one.access() != LOCKFAST_NOACCESS) one.release();
  }
  for (held_secret& one : secrets_) {
    if (one.empty()) continue;
    one.verify(shared_.in);
    one.release();
  }
  for (std::uint32_t part = 0; part < shared_things::part_count; ++part) unclaim({verb::unclaim, 0, part});
}

// ---- Fork -------------------------------------------------------------------------------------------------------------------

void actor::act_in_child() {
  for (held_secret& one : secrets_) {
    if (!one.empty()) one.verify_in_child(shared_.in);
  }
  const fuzz::map_flags flags;
  for (const held_secret& one : secrets_) one.compare(flags);
  held_secret made;
  for (const verb what : {verb::allocate, verb::allocate_isolated, verb::allocate_drop_in}) {
    fill(made, {what, 1, 100});
    if (made.empty()) continue;
    made.read();
    made.release();
  }
  for (held_secret& one : secrets_) {
    if (one.empty() || one.within() != nullptr) continue;
    // Where a child has no map left for it, an absent secret's address is nobody's.
    lockfast_receipt found = {};
    if (shared_.in.maps_left == 0 || lockfast_describe(one.address(), &found) == 0) one.release();
  }
  if (lockfast_audit() != 0) disagree("an audit in a child finds damage");
  _exit(0);
}

void actor::fork_and_verify() {
  const pid_t child = ::fork();
  if (child < 0) return;
  if (child == 0) {
    doing("a fork's child");
    alarm(patience(60));
    act_in_child();
  }
  int state = 0;
  while (waitpid(child, &state, 0) != child) {
    if (errno != EINTR) disagree("a child is lost");
  }
  if (WIFSIGNALED(state)) disagree("a child ended by signal %d", WTERMSIG(state));
  if (WEXITSTATUS(state) != 0) _exit(1);
}

}  // namespace lockfast::stress
