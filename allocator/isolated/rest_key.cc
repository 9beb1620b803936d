// rest_key.cc - the page, its keys, and what they seal.
#include "allocator/isolated/rest_key.h"

#include <cstddef>
#include <cstring>

#include "allocator/base/backoff.h"
#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/base/wipes.h"

namespace lockfast::internal {

using platform::access;

struct rest_key::epoch {
  std::byte subkey[aead::key_size];
};

struct rest_key::table {
  static constexpr std::uint32_t max_epochs = 80;  // wipes, and forks below one another

  std::atomic<std::uint32_t> count;
  epoch epochs[max_epochs];
};

void rest_key::prepare(platform::fork_policy policy, platform::error hide_error) {
  static_assert(sizeof(table) <= 4096);
  if (refusal() == 0) return;
  const scoped_lock held(mutex_);
  if (reserved_ != nullptr) return;
  const std::size_t page_size = platform::page_size();
  const auto made = platform::reserve(3 * page_size, page_size, policy);
  platform::error refused = made.refusal;
  if (made.address != nullptr) {
    std::byte* const middle = made.address + page_size;
    const fork_exclusion::scope hiding_held;
    platform::error unhidden = hide_error;
    if (unhidden == 0) unhidden = fork_exclusion::hide(hiding_held, middle, page_size, policy);
    refused = 0;
    if (unhidden != 0) {
      refused = platform::protect(middle, page_size, access::read_write);
      if (refused == 0) refused = platform::lock(middle, page_size);
      // A lock that a closing would take off is not taken off here: the page is never closed.
    }
    hide_error_ = unhidden;
  }
  if (refused != 0) {
    if (made.address != nullptr) platform::release(made.address, 3 * page_size);
    refusal_.store(refused, std::memory_order_release);
    return;
  }
  policy_ = policy;
  reserved_ = made.address;
  table_.store(static_cast<table*>(static_cast<void*>(page())), std::memory_order_release);
  refusal_.store(0, std::memory_order_release);
}

platform::error rest_key::found(const founding& /*held*/, const founder& by, const bond& to, sealed_record& record) {
  static_assert(offsetof(table, epochs) + sizeof(epoch) <= founding_size);
  if (reserved_ != nullptr) return EBUSY;
  const wipes::look before;
  const std::size_t page_size = platform::page_size();
  const auto made = platform::reserve(3 * page_size, page_size, by.policy);
  if (made.address == nullptr) return made.refusal;
  std::byte* const place = made.address + page_size;

  auto& first = *static_cast<table*>(static_cast<void*>(by.page));
  if (const auto refusal = draw(first.epochs[0]); refusal != 0) {
    internal::wipe(by.page, founding_size);
    platform::release(made.address, 3 * page_size);
    return refusal;
  }
  first.count = 1;
  record.number = sealed_count_.fetch_add(1, std::memory_order_relaxed) + 1;
  seal_under(first.epochs[0], to, by.secret, by.size, record);
  internal::wipe(by.page + founding_size, page_size - founding_size);

  platform::error refusal = platform::move(by.page, place, page_size);
  if (refusal == 0 && fork_exclusion::vacate(by.page, page_size, by.blank, by.policy) != 0) {
    if (by.hide_error != 0) {
      // What is left there is neither locked nor used.
      (void)platform::protect(by.page, page_size, access::none);
    } else {
      // The page is in both places: it stays in the first.
      refusal = ENOMEM;
      if (fork_exclusion::vacate(place, page_size, made.address, by.policy) != 0) {
        end_process(breach::access_refused, breach_signal::abort);
      }
    }
  }
  if (refusal != 0) {
    if (!open_under(first.epochs[0], to, record, by.secret, by.size)) {
      end_process(breach::sealed_damaged, breach_signal::abort);
    }
    internal::wipe(by.page, founding_size);
    platform::release(made.address, 3 * page_size);
    return refusal;
  }
  reserved_ = made.address;
  moved_here_ = true;
  policy_ = by.policy;
  hide_error_ = by.hide_error;
  current_.store(0, std::memory_order_relaxed);
  needs_key_.store(false, std::memory_order_relaxed);
  table_.store(static_cast<table*>(static_cast<void*>(place)), std::memory_order_release);
  refusal_.store(0, std::memory_order_release);
  // The secret is in the record alone by now: it goes with the key.
  if (before.wiped()) wipe_keys();
  return 0;
}

platform::error rest_key::lock_error() const {
  if (table_.load(std::memory_order_acquire) == nullptr) return 0;
  // A child whose page could not be locked again.
  const auto refused = refusal();
  return refused != 0 ? refused : lock_refusal_.load(std::memory_order_relaxed);
}

std::size_t rest_key::bytes_locked() const { return refusal() == 0 && lock_error() == 0 ? platform::page_size() : 0; }

std::size_t rest_key::bytes_reserved() const { return refusal() == 0 ? 3 * platform::page_size() : 0; }

void rest_key::renew_lock() {
  const scoped_lock held(mutex_);
  // A hidden page has none to lose.
  if (refusal() != 0 || hide_error_ == 0) return;
  lock_refusal_.store(platform::renew_lock(page(), platform::page_size()), std::memory_order_relaxed);
}

platform::error rest_key::draw_key() {
  const scoped_lock held(mutex_);
  if (!needs_key_.load(std::memory_order_acquire)) return 0;
  table& all = keys();
  const std::uint32_t next = all.count.load(std::memory_order_seq_cst);
  const auto refused = next == table::max_epochs ? EAGAIN : draw(all.epochs[next]);
  draw_refusal_.store(refused, std::memory_order_relaxed);
  if (refused != 0) return refused;
  current_.store(next, std::memory_order_release);
  all.count.store(next + 1, std::memory_order_seq_cst);
  needs_key_.store(false, std::memory_order_release);
  return 0;
}

platform::error rest_key::next_number(std::uint64_t& number) {
  if (needs_key_.load(std::memory_order_acquire)) {
    if (const auto refused = draw_key(); refused != 0) return refused;
  }
  const std::uint64_t current = current_.load(std::memory_order_acquire);
  number = current << number_bits | (sealed_count_.fetch_add(1, std::memory_order_relaxed) + 1);
  return 0;
}

// Every nonce of a key begins alike, so that the subkey which XChaCha20 takes from both is one for all its records.
platform::error rest_key::draw(epoch& over) {
  std::byte nonce_start[aead::nonce_size - sizeof(std::uint64_t)];
  auto refusal = platform::try_random(over.subkey);
  if (refusal == 0) refusal = platform::try_random(nonce_start);
  if (refusal != 0) return refusal;
  hchacha20(over.subkey, nonce_start, over.subkey);
  wipe_traces();
  return 0;
}

// What follows that start.
struct rest_key::nonce {
  explicit nonce(std::uint64_t number) { std::memcpy(bytes + sizeof bytes - sizeof number, &number, sizeof number); }
  std::byte bytes[aead::short_nonce_size] = {};
};

void rest_key::seal_under(const epoch& under, const bond& to, const std::byte* plain, std::size_t size, sealed_record& record) {
  aead::seal(under.subkey, nonce(record.number).bytes, std::as_bytes(std::span(&to, 1)), {plain, size}, record.bytes(),
             record.tag);
}

bool rest_key::open_under(const epoch& under, const bond& to, const sealed_record& record, std::byte* plain, std::size_t size) {
  const nonce used(record.number);
  const auto bound = std::as_bytes(std::span(&to, 1));
  const aead::bytes_view sealed(record.bytes(), size);
  if (plain == nullptr) return aead::authentic(under.subkey, used.bytes, bound, sealed, record.tag);
  return aead::open(under.subkey, used.bytes, bound, sealed, record.tag, plain);
}

// Waits while the page is given back, which takes a walk over the family's places and a few system calls.
class rest_key::use_scope {
 public:
  explicit use_scope(rest_key& of) : of_(of) {
    for (backoff turns; !of_.try_use();) turns.wait();
  }
  ~use_scope() { of_.end_use(); }
  use_scope(const use_scope&) = delete;
  use_scope& operator=(const use_scope&) = delete;

 private:
  rest_key& of_;
};

platform::error rest_key::seal(const bond& to, const std::byte* plain, std::size_t size, sealed_record& record) {
  const use_scope inside(*this);
  const wipes::look before;
  if (const auto refused = refusal(); refused != 0) return refused == not_prepared ? EAGAIN : refused;
  if (size > aead::max_size) return EFBIG;
  if (const auto refused = next_number(record.number); refused != 0) return refused;
  seal_under(keys().epochs[record.number >> number_bits], to, plain, size, record);
  // Else the secret would outlive the wipe in its record. Under zeros for a key, too, which everybody knows.
  return before.wiped() ? EAGAIN : 0;
}

rest_key::outcome rest_key::use(const bond& to, const sealed_record& record, std::byte* plain, std::size_t size) const {
  const table* const known = table_.load(std::memory_order_acquire);
  if (known == nullptr) return outcome::damaged;
  const std::uint64_t index = record.number >> number_bits;
  if (index < wiped_below_.load(std::memory_order_acquire)) return outcome::wiped;
  if (index >= known->count.load(std::memory_order_relaxed) || index >= table::max_epochs) return outcome::damaged;
  if (open_under(known->epochs[index], to, record, plain, size)) return outcome::opened;
  return index < wiped_below_.load(std::memory_order_seq_cst) ? outcome::wiped : outcome::damaged;
}

rest_key::outcome rest_key::open(const bond& to, const sealed_record& record, std::byte* plain, std::size_t size) const {
  const wipes::look before;
  outcome found = use(to, record, plain, size);
  // A signal handler may have wiped everything, the key included, after this thread had read it: then the secret would outlive that.
  if (found == outcome::opened && before.wiped()) found = outcome::wiped;
  if (found == outcome::wiped) std::memset(plain, 0, size);
  return found;
}

rest_key::outcome rest_key::verify(const bond& to, const sealed_record& record, std::size_t size) const {
  return use(to, record, nullptr, size);
}

// What is sealed under a key from before this is gone with the key; that is written down first, for who reads the key meanwhile.
void rest_key::wipe() {
  copy_.wipe_on_signal();
  wipe_missed_.store(true, std::memory_order_seq_cst);
  if (!try_use()) return;
  wipe_missed_.store(false, std::memory_order_relaxed);
  wipe_keys();
  end_use();
}

// Also in a child that has no lock for the page, and so seals nothing more. A key that is being drawn is left alone: under half of one
// all would be sealed that follows.
void rest_key::wipe_keys() {
  table* const all = table_.load(std::memory_order_acquire);
  if (all == nullptr) return;
  const std::uint32_t count = all->count.load(std::memory_order_seq_cst);
  std::uint32_t below = wiped_below_.load(std::memory_order_seq_cst);
  while (below < count && !wiped_below_.compare_exchange_weak(below, count, std::memory_order_seq_cst)) {
  }
  internal::wipe(all->epochs, count * sizeof *all->epochs);
  needs_key_.store(true, std::memory_order_seq_cst);
}

// ---- The page given back -----------------------------------------------------------------------------------------------------

std::size_t rest_key::give_back(bool (*unused)(void* of), void* of) {
  const scoped_lock held(mutex_);
  if (refusal() != 0) return 0;
  std::uint32_t none = 0;
  if (!users_.compare_exchange_strong(none, giving_back, std::memory_order_acq_rel)) return 0;
  const bool gone = unused(of) && release_page() == 0;
  users_.fetch_and(~giving_back, std::memory_order_acq_rel);
  if (wipe_missed_.exchange(false, std::memory_order_acq_rel)) wipe_keys();
  return gone ? platform::page_size() : 0;
}

// With the keys gone, the page that stays after a refusal has a new one drawn in it.
platform::error rest_key::release_page() {
  const std::size_t page_size = platform::page_size();
  internal::wipe(page(), page_size);
  forget_keys();
  if (moved_here_) return EBUSY;
  if (hide_error_ == 0) {
    const fork_exclusion::scope hiding_held;
    if (const auto refused = fork_exclusion::unhide(hiding_held, page(), page_size, policy_); refused != 0) return refused;
  } else if (const auto refused = platform::unlock(page(), page_size); refused != 0) {
    return refused;
  }
  std::byte* const pages = reserved_;
  forget_page();
  platform::release(pages, 3 * page_size);
  return 0;
}

void rest_key::forget_page() {
  refusal_.store(not_prepared, std::memory_order_release);
  reserved_ = nullptr;
  moved_here_ = false;
  table_.store(nullptr, std::memory_order_relaxed);
  lock_refusal_.store(0, std::memory_order_relaxed);
  forget_keys();
}

void rest_key::forget_keys() {
  needs_key_.store(true, std::memory_order_relaxed);
  wiped_below_.store(0, std::memory_order_relaxed);
  current_.store(0, std::memory_order_relaxed);
}

// ---- Fork -------------------------------------------------------------------------------------------------------------------

void rest_key::copy_for_child() {
  if (refusal() != 0 || hide_error_ != 0 || policy_ != platform::fork_policy::inherit ||
      keys().count.load(std::memory_order_relaxed) == 0)
    return;
  copy_.begin(1, platform::page_size());
  (void)copy_.add(this, page(), platform::page_size(), 0);
}

bool rest_key::settle_in_child() {
  mutex_.reset_in_child();
  users_.store(0, std::memory_order_relaxed);
  wipe_missed_.store(false, std::memory_order_relaxed);
  lock_refusal_.store(0, std::memory_order_relaxed);
  moved_here_ = false;
  if (reserved_ == nullptr) return true;
  const std::size_t page_size = platform::page_size();
  needs_key_.store(true, std::memory_order_relaxed);
  bool inherited = false;
  if (policy_ == platform::fork_policy::inherit && hide_error_ != 0) {
    // Without the lock the page still opens what the parent sealed, and seals nothing more.
    refusal_.store(platform::lock_again(page(), page_size), std::memory_order_relaxed);
    return true;
  }
  copy_.for_each([&](const fork_copy::entry& each, std::byte* content) {
    inherited = copy_.hidden() && platform::move_hidden(content, each.run, each.size) == 0;
    if (inherited) return;
    (void)platform::reserve_again(each.run, each.size, policy_);
    if (platform::protect(each.run, each.size, access::read_write) != 0) return;
    hide_error_ = ENOMEM;
    refusal_.store(platform::lock(each.run, each.size), std::memory_order_relaxed);
    std::memcpy(each.run, content, each.size);
    inherited = true;
  });
  // What was sealed is gone with the copy of its keys, whose number is known without it.
  if (inherited && copy_.wiped()) {
    internal::wipe(page(), page_size);
    keys().count = current_.load(std::memory_order_relaxed) + 1;
    wiped_below_.store(keys().count, std::memory_order_relaxed);
  }
  copy_.end();
  if (inherited) return true;
  // Nothing is there: the pages stayed with the parent, or are zeros. The next page is taken when something is to be sealed.
  if (policy_ == platform::fork_policy::wipe && hide_error_ != 0) internal::wipe(page(), page_size);
  forget_page();
  return false;
}

}  // namespace lockfast::internal
