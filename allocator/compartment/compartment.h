// compartment.h - a set of secrets that are opened and closed together: slabs of its own, one access for all of them.
//
// Where the processor has protection keys, the compartment has one for as long as there are any: its access is each thread's
// own, and changes without a system call. Else the pages have the widest access that any thread asked for and has not given up,
// by closing the compartment or by ending.
//
//    thread 1:  protect(read_write)                    protect(none)
//    thread 2:              protect(read)                              protect(none)
//    pages:     read_write  read_write                 read            none
//
// Invariants
//   1. Without a key, effective access == the widest of all threads' grants, but for the length of an operation of ours.
//   2. A destroyed compartment holds no secret and no page. Its record serves a later one, the record that has waited longest
//      first, under another epoch: a handle names a record and the epoch that it was given in.
//   3. A freed slot rests before it is used again: the last 16 of the compartment, or as many as have 16 KiB, but one at least.
//      At a shortage the rest ends, unless quarantine=hold.
//   4. Order of mutexes: registry, a compartment's, a list's.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_ALLOCATOR_COMPARTMENT_COMPARTMENT_H
#define LOCKFAST_ALLOCATOR_COMPARTMENT_COMPARTMENT_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/base/allocated.h"
#include "allocator/compartment/grants.h"
#include "allocator/base/relaxed.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slab_bin.h"
#include "platform/platform.h"

namespace lockfast::internal {

class grouped_heap;

class compartment {
 public:
  // The most that a secret of a compartment may have, in bytes.
  static constexpr std::size_t max_size = std::size_t{1} << 30;

  // A new one, open for this thread to read and write, its secrets in the family's space under its policy; null when there is no
  // memory for its record, or when this thread holds too many open already.
  [[nodiscard]] static compartment* create(grouped_heap& family);
  // Its name for the program, until it is destroyed; not 0.
  [[nodiscard]] std::uintptr_t handle() const;
  // The compartment of a handle; null where it was destroyed, or never was.
  [[nodiscard]] static compartment* of_handle(std::uintptr_t handle);
  // Wipes and gives back all its secrets.
  void destroy();
  [[nodiscard]] bool exists() const { return exists_; }

  // A secret of size bytes, each of them value, whatever the access is.
  [[nodiscard]] allocated allocate(std::size_t size, int value, slab_bin::growth allowed);
  void deallocate(slot_ref freed);
  // The same secret with a new size, in its slot or in another; a refusal leaves it as it was.
  [[nodiscard]] allocated reallocate(slot_ref resized, std::size_t size, slab_bin::growth allowed);

  // What this thread may do from now on with every secret of the compartment: EAGAIN when it holds too many compartments open
  // already, ENOMEM when the system refuses to open pages; the access is then as it was.
  [[nodiscard]] platform::error protect(platform::access to);
  // What this thread can do with them now.
  [[nodiscard]] platform::access current_access() const;

  // Calls act() while this thread can write the pages, and returns what it returns.
  template <class Act>
  auto while_writable(Act act);

  // Drops the freed slots that rest in slabs which a crash has left closed; for its lists.
  void forget_closed();

  // Wipes the secrets of one of its slabs, whatever the access, and leaves that as it was; false when the pages can not be written.
  // For a signal handler: waits for no mutex longer than a while, and then does without.
  [[nodiscard]] bool wipe_on_signal(slab& within);

  // ---- Of all compartments ----

  [[nodiscard]] static std::size_t audit();
  static std::size_t trim(trimming why);
  static void renew_locks();
  // Gives up what this thread holds open, at its end.
  static void close_at_exit();

  // Calls act(slab, with) for each slab of a family's compartments while its pages can be written.
  static void for_each_slab_of(const grouped_heap& family, void (*act)(slab&, void*), void* with);

  static void before_fork();
  static void after_fork_in_parent();
  // Around the sorting of slabs in a forked child: first no mutex is held, no slab is known and this thread can write; then
  // every compartment is as open as this thread had it.
  static void reset_in_child();
  static void settle_in_child();

 private:
  class writable;

  // One list for each size class, and one for larger secrets, each in a slab of its own.
  static constexpr std::size_t list_count = size_class::count + 1;
  static constexpr std::uint32_t max_resting = 16;
  static constexpr std::size_t max_resting_bytes = std::size_t{16} * 1024;

  // A handle is an epoch above the number of a record and 1; a table of tables leads from the number to the record.
  using numbered = std::atomic<compartment*>;
  static constexpr unsigned number_bits = sizeof(void*) == 8 ? 20 : 14;
  static constexpr std::uint32_t max_records = (std::uint32_t{1} << number_bits) - 1;
  static constexpr std::uint32_t table_part = 256;
  static constexpr std::uint32_t table_count = max_records / table_part + 1;

  // Records of destroyed compartments, first in, first out.
  struct unused_queue {
    compartment* first = nullptr;
    compartment* last = nullptr;

    void put(compartment& one);
    [[nodiscard]] compartment* take();
  };
  [[nodiscard]] static compartment* make_record();
  [[nodiscard]] static compartment* take_record();
  void give_back_record();

  [[nodiscard]] bool take_slot(slot_ref& out, std::size_t size, slab_bin::growth allowed, platform::error& refusal);
  // The quarantine; requires the mutex. end_rest: of all that rest; whether there were any.
  void rest(slot_ref freed);
  void end_oldest_rest();
  bool end_rest();
  // Whether a trim may find something to give back.
  [[nodiscard]] bool may_give_back(bool ends_rest);

  // Where closing took the locks off, once it is open again. A refusal is what the policy does not allow.
  [[nodiscard]] platform::error lock_after_closing();

  template <class Do>
  void for_each_slab(Do act) {
    for (slab_bin& list : lists_) list.for_each(act);
  }
  [[nodiscard]] bool take_exclusion_soon();
  [[nodiscard]] grouped_heap& family() const { return *family_; }
  [[nodiscard]] bool keyed() const { return key_ != platform::no_key; }
  [[nodiscard]] static bool is_stale(const grant& one);
  // This thread's grant of it in a table; null if none.
  [[nodiscard]] grant* find_grant(grant* table) const;
  [[nodiscard]] static grant* find_unused(grant* table);
  [[nodiscard]] platform::error apply(platform::access to);
  [[nodiscard]] platform::access widest() const;
  void count(platform::access granted, std::ptrdiff_t change);
  void start(grouped_heap& family);

  platform::mutex mutex_;
  relaxed<bool> exists_;
  relaxed<grouped_heap*> family_;
  platform::key key_ = platform::no_key;
  bool key_asked_ = false;
  relaxed<platform::access> effective_ = platform::access::none;
  std::size_t readers_ = 0;  // threads, without a key
  std::size_t writers_ = 0;
  relaxed<std::uint32_t> epoch_;            // how many compartments have had this record
  relaxed<std::uint32_t> calls_;            // of ours that have the pages writable
  relaxed<std::uint32_t> wipes_on_signal_;  // slabs that a signal handler has wiped
  slab_bin lists_[list_count];
  slot_ref resting_[max_resting] = {};
  std::uint32_t oldest_resting_ = 0;
  std::uint32_t resting_count_ = 0;
  std::size_t resting_bytes_ = 0;
  std::uint32_t number_ = 0;
  compartment* next_ = nullptr;         // in the list of all records, which only grows
  compartment* next_unused_ = nullptr;  // in its queue of destroyed ones

  static platform::mutex registry_;
  static std::atomic<compartment*> all_;
  static unused_queue unused_[2];  // those with a key, those without
  static std::uint32_t record_count_;
  static std::atomic<numbered*> table_[table_count];
};

// Makes a compartment's pages writable for this thread, for a scope; requires its mutex.
class compartment::writable {
 public:
  explicit writable(compartment& opened);
  ~writable();
  writable(const writable&) = delete;
  writable& operator=(const writable&) = delete;

 private:
  compartment& opened_;
  platform::access before_;
};

template <class Act>
auto compartment::while_writable(Act act) {
  const scoped_lock held(mutex_);
  const writable opened(*this);
  return act();
}

}  // namespace lockfast::internal

#endif
