// secrets_model.cc - the verifications: each line of lockfast.h that speaks of one secret, as a comparison.
#include "fuzz/secrets_model.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "fuzz/probe.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {

namespace {

constexpr std::size_t canary_size = 16;

bool freed_secrets_trap() {
  static const bool trap = [] {
    const char* options = std::getenv("LOCKFAST_OPTIONS");
    return options == nullptr || std::strstr(options, "freed=recycle") == nullptr;
  }();
  return trap;
}

const std::uint8_t* end_of(const secret& one) { return one.address + one.contents.size(); }

// The ends of a secret that is not empty: what holds for its pages is probed there, once where they are one page.
std::vector<std::uint8_t*> first_and_last(const secret& one) {
  std::uint8_t* const last = one.address + one.contents.size() - 1;
  if (page_start(one.address) == page_start(last)) return {one.address};
  return {one.address, last};
}

}  // namespace

std::size_t natural_alignment(std::size_t size) { return size == 0 ? page_size() : std::min(size & (~size + 1), page_size()); }

secrets_model::secrets_model() {
  struct lockfast_statistics now{};
  lockfast_get_statistics(&now);
  if (now.live != 0) disagree("%zu are live before anything is allocated", now.live);
  allocations_before_ = now.allocations;
}

secret& secrets_model::admit(void* address, std::vector<std::uint8_t> contents, std::size_t alignment) {
  const bool asked = alignment != 0;
  secret one{static_cast<std::uint8_t*>(address), alignment, asked, !asked, LOCKFAST_READWRITE, {}, std::move(contents)};
  if (!asked) one.alignment = natural_alignment(one.contents.size());
  if (one.contents.size() % one.alignment == 0 && one.alignment <= page_size()) one.flush = true;
  return take_in(std::move(one));
}

secret& secrets_model::admit_in(struct lockfast_compartment* home, lockfast_access access, void* address,
                                std::vector<std::uint8_t> contents) {
  return take_in({static_cast<std::uint8_t*>(address), canary_size, false, false, access, {}, std::move(contents), home});
}

secret& secrets_model::take_in(secret one) {
  if (lockfast_describe(one.address, &one.receipt) != 0) disagree("a new secret has no receipt: %s", std::strerror(errno));
  if (one.home != nullptr && one.isolated()) disagree("a secret of a compartment is isolated");
  live_.push_back(std::move(one));
  ++allocations_;
  verify_apart(live_.back());
  verify(live_.back());
  return live_.back();
}

void secrets_model::free(std::size_t index) {
  const secret one = std::move(live_[index]);
  live_[index] = std::move(live_.back());
  live_.pop_back();
  errno = 0;
  lockfast_free(one.address);
  if (errno != 0) disagree("free changed errno: %s", std::strerror(errno));
  verify_gone(one);
}

void secrets_model::move(std::size_t index, void* address, std::size_t size) {
  secret& one = live_[index];
  const secret before = one;
  ++moves_;
  one.address = static_cast<std::uint8_t*>(address);
  one.contents.resize(size, 0);
  one.alignment = natural_alignment(size);
  one.aligned = false;
  one.flush = true;
  if (lockfast_describe(address, &one.receipt) != 0) disagree("a moved secret has no receipt: %s", std::strerror(errno));
  const bool outgrown = !before.isolated() && one.home == nullptr && size > max_grouped;
  if (one.isolated() != (before.isolated() || outgrown)) disagree("realloc changed the placement");
  verify_apart(one);
  verify(one);
  if (!is_live(before.address)) verify_gone(before);
}

void secrets_model::verify(const secret& one) const {
  const std::size_t size = one.contents.size();
  if (lockfast_size(one.address) != size) disagree("size is %zu, not %zu", lockfast_size(one.address), size);
  verify_receipt(one);
  verify_bounds(one);
  if (size == 0) return;
  const bool can_read = one.access != LOCKFAST_NOACCESS;
  for (std::uint8_t* at : first_and_last(one)) {
    if (readable(at) != can_read) disagree("access %d, but readable is %d", one.access, !can_read);
    if (writable(at) != one.open()) disagree("access %d, but writable is %d", one.access, !one.open());
  }
  if (can_read && std::memcmp(one.address, one.contents.data(), size) != 0) {
    const auto found = std::mismatch(one.contents.begin(), one.contents.end(), one.address);
    disagree("byte %td of %zu is %02x, not %02x", found.first - one.contents.begin(), size, *found.second, *found.first);
  }
}

void secrets_model::verify_apart(const secret& one) const {
  for (const secret& other : live_)
    if (&other != &one && (other.address == one.address || (other.address < end_of(one) && one.address < end_of(other))))
      disagree("%p+%zu overlaps %p+%zu", static_cast<void*>(one.address), one.contents.size(),
               static_cast<void*>(other.address), other.contents.size());
}

void secrets_model::verify_bounds(const secret& one) const {
  const std::size_t wanted = one.isolated() || one.aligned ? one.alignment : canary_size;
  if (number(one.address) % wanted != 0) disagree("%p is no multiple of %zu", static_cast<void*>(one.address), wanted);
  if (!one.isolated()) return;
  // The guard begins at the first page boundary behind the secret, or, for an alignment beyond a page, after at most that.
  const std::uint8_t* guard = end_of(one);
  guard += (page_size() - number(guard) % page_size()) % page_size();
  if (one.flush && guard != end_of(one)) disagree("%td bytes between secret and guard page", guard - end_of(one));
  const std::uint8_t* const last = std::max(guard, end_of(one) + one.alignment - 1);
  while (readable(guard) && guard + page_size() <= last) guard += page_size();
  if (readable(guard)) disagree("no guard page behind a secret of %zu bytes", one.contents.size());
}

void secrets_model::verify_receipt(const secret& one) const {
  lockfast_receipt now{};
  if (lockfast_describe(one.address, &now) != 0) disagree("a live secret has no receipt: %s", std::strerror(errno));
  if (now.size != one.contents.size()) disagree("the receipt's size is %zu, not %zu", now.size, one.contents.size());
  if (now.access != one.access) disagree("the receipt's access is %d, not %d", now.access, one.access);
  if (now.placement != one.receipt.placement || now.backing != one.receipt.backing)
    disagree("a secret's placement or backing changed while it lived");
  if ((now.backing == LOCKFAST_UNLOCKED) != (now.lock_error != 0))
    disagree("backing %d, but the lock's error is %d", now.backing, now.lock_error);
  if ((now.backing == LOCKFAST_HIDDEN) != (now.hide_error == 0))
    disagree("backing %d, but the hiding's error is %d", now.backing, now.hide_error);
  if (now.backing != LOCKFAST_LOCKED || one.contents.empty() || !locks_are_real()) return;
  for (const std::uint8_t* at : first_and_last(one))
    if (!locked(at) || !resident(at)) disagree("the receipt says locked, the kernel does not");
}

bool secrets_model::shares_a_page(const secret& one) const {
  const std::uintptr_t begin = page_start(one.address - canary_size);
  return std::ranges::any_of(live_, [&](const secret& other) {
    return page_start(other.address - canary_size) < number(end_of(one)) && number(end_of(other)) > begin;
  });
}

void secrets_model::verify_gone(const secret& one) const {
  lockfast_receipt receipt;
  if (lockfast_size(one.address) != 0) disagree("a freed secret has a size");
  if (lockfast_check(one.address) != -1 || errno != EINVAL) disagree("a freed secret is checked");
  if (lockfast_describe(one.address, &receipt) != -1 || errno != EINVAL) disagree("a freed secret is described");
  if (one.contents.empty()) return;
  if (one.isolated() && freed_secrets_trap() && !shares_a_page(one) && (readable(one.address) || readable(end_of(one) - 1)))
    disagree("a freed secret of %zu bytes can be read", one.contents.size());
  if (!one.isolated() || !shares_a_page(one)) verify_bytes_gone(one);
}

// Requires that no other secret has any of these bytes by now.
void secrets_model::verify_bytes_gone(const secret& one) const {
  std::vector<std::uint8_t> left(one.contents.size());
  if (!copy_if_readable(one.address, left.size(), left.data())) return;
  if (std::ranges::any_of(left, [](std::uint8_t byte) { return byte != 0; })) disagree("a freed secret is not wiped");
}

void secrets_model::change_access(const struct lockfast_compartment* home, lockfast_access access) {
  for (secret& one : live_) {
    if (one.home != home) continue;
    one.access = access;
    verify(one);
  }
}

void secrets_model::remove_all_in(const struct lockfast_compartment* home) {
  std::vector<secret> gone;
  for (std::size_t index = live_.size(); index-- > 0;) {
    if (live_[index].home != home) continue;
    gone.push_back(std::move(live_[index]));
    live_[index] = std::move(live_.back());
    live_.pop_back();
  }
  for (const secret& one : gone) verify_gone(one);
}

void secrets_model::verify_all() const {
  for (const secret& one : live_) {
    verify(one);
    if (lockfast_check(one.address) != 0) disagree("check of an unharmed secret: %s", std::strerror(errno));
  }
}

void secrets_model::verify_statistics() const {
  struct lockfast_statistics now{};
  lockfast_get_statistics(&now);
  const auto count = [this](auto has) { return static_cast<std::size_t>(std::ranges::count_if(live_, has)); };
  if (now.live != live_.size()) disagree("%zu live, not %zu", now.live, live_.size());
  if (now.live_isolated != count([](const secret& one) { return one.isolated(); })) disagree("wrong live_isolated");
  if (now.live_grouped != now.live - now.live_isolated) disagree("isolated and grouped are not all");
  if (now.live_hidden != count([](const secret& one) { return one.receipt.backing == LOCKFAST_HIDDEN; }))
    disagree("wrong live_hidden: %zu", now.live_hidden);
  if (now.live_unlocked != count([](const secret& one) { return one.receipt.backing == LOCKFAST_UNLOCKED; }))
    disagree("wrong live_unlocked: %zu", now.live_unlocked);
  if (now.bytes_live != bytes()) disagree("%zu bytes live, not %zu", now.bytes_live, bytes());
  if (now.allocations - now.frees != now.live) disagree("allocations - frees != live");
  const std::uint64_t counted = now.allocations - allocations_before_;
  if (counted < allocations_ || counted > allocations_ + moves_)
    disagree("%llu allocations, counted as %llu", static_cast<unsigned long long>(allocations_),
             static_cast<unsigned long long>(counted));
  if (now.live_unlocked == 0 && now.live_sealed == 0 && now.bytes_locked < now.bytes_live) disagree("fewer bytes locked than live");
  if (now.bytes_reserved < now.bytes_locked) disagree("fewer bytes reserved than locked");
  if (now.maps_used > now.map_limit) disagree("more maps used than there can be");
}

void secrets_model::verify_map_flags() const {
  const map_flags flags;
  for (const secret& one : live_) {
    const map_flags::map* const map = one.contents.empty() ? nullptr : flags.find(one.address);
    if (map == nullptr && !one.contents.empty()) disagree("a live secret is not mapped");
    if (map == nullptr) continue;
    if (one.receipt.dump_error == 0 && !map->undumpable) disagree("a secret's pages would be in a core dump");
    if ((one.receipt.backing == LOCKFAST_HIDDEN) != map->hidden) disagree("the receipt is wrong about hiding");
    if (one.receipt.backing == LOCKFAST_LOCKED && locks_are_real() && !map->locked) disagree("a secret is not locked");
  }
}

std::size_t secrets_model::bytes() const {
  std::size_t sum = 0;
  for (const secret& one : live_) sum += one.contents.size();
  return sum;
}

bool secrets_model::is_live(const void* address) const {
  return std::ranges::any_of(live_, [&](const secret& one) { return one.address == address; });
}

}  // namespace lockfast::fuzz
