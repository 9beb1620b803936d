// rest_key.h - the key of what a family seals, in one page that is hidden or locked.
//
//    | guard page | how many keys | subkey | subkey | ... | guard page |
//
// A forked child that inherits has its parent's keys, to open what the parent sealed, and seals under one of its own. Wiping
// destroys all keys; what is sealed from then on has a new one. While everything is wiped nothing is sealed: a secret that went from
// its pages into a record in between would be wiped in neither.
//
// A nonce is 16 random bytes that were drawn with its key, and the number of the record: which key, and how many records were
// sealed under it before. So none repeats: numbers do not in a process, and two processes have two keys. The subkey that the cipher
// makes of the key and the 16 bytes is kept in place of both.
//
// Invariants
//   1. A key lies in that page alone, and for the length of a call in registers and on the stack, which are wiped.
//   2. The page is locked or hidden before a key is drawn.
//   3. The page stays while a record exists.
//
// Threads: everything, from any thread; the functions for a fork once, alone. wipe() is async-signal-safe.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_REST_KEY_H
#define LOCKFAST_ALLOCATOR_ISOLATED_REST_KEY_H

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "allocator/base/scoped_lock.h"
#include "allocator/pages/fork_copy.h"
#include "allocator/isolated/sealed_record.h"
#include "platform/platform.h"

namespace lockfast::internal {

class rest_key {
 public:
  constexpr rest_key() = default;

  // What a record is bound to: its secret's place, size and generation.
  struct bond {
    std::uint64_t address;
    std::uint64_t size;
    std::uint64_t generation;
  };

  // Takes the page, hidden where hide_error is 0 and it can be, else locked. Does nothing when it has one.
  void prepare(platform::fork_policy policy, platform::error hide_error);
  // Why nothing can be sealed: the errno that kept it from the page, or 0; not_prepared before prepare().
  [[nodiscard]] platform::error refusal() const { return refusal_.load(std::memory_order_acquire); }
  // The same, or why the last key that was needed could not be drawn. 0 before prepare(): nothing is known to stand in the way.
  [[nodiscard]] platform::error seal_refusal() const {
    const auto refused = refusal();
    if (refused == not_prepared) return 0;
    return refused != 0 ? refused : draw_refusal_.load(std::memory_order_relaxed);
  }
  // Why the page is not hidden, or 0.
  [[nodiscard]] platform::error hide_error() const { return hide_error_; }
  // Why the page is not held in RAM, or 0. The keys in it open every sealed secret.
  [[nodiscard]] platform::error lock_error() const;
  // How many bytes the page takes of what may be locked.
  [[nodiscard]] std::size_t bytes_locked() const;
  // And of address space, guard pages included.
  [[nodiscard]] std::size_t bytes_reserved() const;
  // Where something took the locks off: locks the page again.
  void renew_lock();

  // The same out of the page of a secret, held in RAM, with founding_size zeros at its start: the first key is drawn there, the secret
  // is sealed under it, and the page moves to where keys are kept. A refusal changes nothing but the secret's canaries.
  static constexpr std::size_t founding_size = 64;
  struct founder {
    std::byte* page;
    std::byte* blank;  // as vacate() takes it
    platform::fork_policy policy;
    platform::error hide_error;  // why the page is not hidden, or 0
    std::byte* secret;
    std::size_t size;
  };
  // Held by the caller of found(), from before it takes fork_exclusion's scope: prepare() takes both in this order.
  class founding {
   public:
    explicit founding(rest_key& of) : held_(of.mutex_) {}

   private:
    scoped_lock held_;
  };
  [[nodiscard]] platform::error found(const founding& held, const founder& by, const bond& to, sealed_record& record);

  // Seals size bytes. Refusals: that of refusal(); EFBIG for more than the cipher takes; EAGAIN before prepare(), when every place for
  // a key is used, and when everything is wiped meanwhile; the system's errno when it gives no random bytes for a key.
  [[nodiscard]] platform::error seal(const bond& to, const std::byte* plain, std::size_t size, sealed_record& record);

  enum class outcome : std::uint8_t {
    opened,
    damaged,  // not sealed under this bond, or changed since: nothing was written
    wiped     // its key was wiped: zeros
  };
  [[nodiscard]] outcome open(const bond& to, const sealed_record& record, std::byte* plain, std::size_t size) const;
  // The same verdict, without opening.
  [[nodiscard]] outcome verify(const bond& to, const sealed_record& record, std::size_t size) const;

  // Destroys every key, while everything is wiped.
  void wipe();

  // Gives the wiped page back, after which the next prepare() or found() takes one: how many bytes came back. unused is asked once
  // nothing more can be sealed, and says whether no record is left. 0 where one is, where one is being sealed, where the system does
  // not let the page go, or where it was a secret's: the page stays.
  [[nodiscard]] std::size_t give_back(bool (*unused)(void* of), void* of);

  // In front of a fork, and in the parent behind it: the copy of a hidden page that a child inherits.
  void copy_for_child();
  void after_fork_in_parent() { copy_.end(); }
  // In the child. Without an inherited page no record of the parent's opens: false.
  bool settle_in_child();

 private:
  struct epoch;
  struct nonce;
  struct table;

  static constexpr unsigned number_bits = 56;
  static constexpr platform::error not_prepared = -1;  // no errno: a system may refuse a lock with any

  [[nodiscard]] table& keys() const { return *table_.load(std::memory_order_acquire); }
  [[nodiscard]] std::byte* page() const { return reserved_ + platform::page_size(); }
  // The number of the next record; 0, which none has, when every place for a key is used.
  // Of a record to be sealed now, under a key that is drawn for it where there is none.
  [[nodiscard]] platform::error next_number(std::uint64_t& number);
  [[nodiscard]] platform::error draw_key();
  [[nodiscard]] static platform::error draw(epoch& over);
  static void seal_under(const epoch& under, const bond& to, const std::byte* plain, std::size_t size, sealed_record& record);
  [[nodiscard]] static bool open_under(const epoch& under, const bond& to, const sealed_record& record, std::byte* plain,
                                       std::size_t size);
  [[nodiscard]] outcome use(const bond& to, const sealed_record& record, std::byte* plain, std::size_t size) const;

  // A thread that seals or wipes is counted, and is kept out while the page is given back.
  static constexpr std::uint32_t giving_back = 1U << 31U;
  [[nodiscard]] bool try_use() {
    if ((users_.fetch_add(1, std::memory_order_acq_rel) & giving_back) == 0) return true;
    end_use();
    return false;
  }
  void end_use() { users_.fetch_sub(1, std::memory_order_acq_rel); }
  class use_scope;

  [[nodiscard]] platform::error release_page();
  void forget_page();
  void forget_keys();
  void wipe_keys();

  platform::mutex mutex_;  // of what follows, but for the contents of the page
  std::atomic<platform::error> refusal_ = not_prepared;
  std::byte* reserved_ = nullptr;
  std::atomic<table*> table_ = nullptr;
  platform::error hide_error_ = 0;
  // By found(). The system goes on charging it where it was, too (platform::move): each such page that was given back, and followed
  // by another, would take one page of the limit for ever.
  bool moved_here_ = false;
  platform::fork_policy policy_ = platform::fork_policy::absent;
  std::atomic<bool> needs_key_ = true;  // of its own: none was drawn yet, or it was wiped, or this is a child
  std::atomic<platform::error> draw_refusal_ = 0;
  std::atomic<platform::error> lock_refusal_ = 0;  // of a lock that was lost
  std::atomic<std::uint64_t> sealed_count_ = 0;
  std::atomic<std::uint32_t> wiped_below_ = 0;  // the keys before this one were wiped
  std::atomic<std::uint32_t> current_ = 0;
  std::atomic<std::uint32_t> users_ = 0;
  std::atomic<bool> wipe_missed_ = false;  // asked for while the page was being given back
  fork_copy copy_;
};

}  // namespace lockfast::internal

#endif
