// secrets_model.h - what must hold of every live secret: a plain list, beside the library's own view of them.
//
// The model keeps each secret's address, alignment, access and expected contents, and verifies them against the library's
// answers and, through the probes, against what the kernel lets anybody touch.
//
// Invariants
//   1. live().size() and bytes() are what lockfast_statistics must say.
//   2. A secret's contents are known byte for byte, from its allocation to its end.
//
// Threads: one.
#ifndef LOCKFAST_FUZZ_SECRETS_MODEL_H
#define LOCKFAST_FUZZ_SECRETS_MODEL_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockfast::fuzz {

struct secret {
  std::uint8_t* address;
  std::size_t alignment;  // asked for, or the natural one of the size
  bool aligned;           // asked for, which a grouped one keeps too
  bool flush;             // an isolated one's last byte must be its page's last
  lockfast_access access;
  lockfast_receipt receipt;
  std::vector<std::uint8_t> contents;
  struct lockfast_compartment* home = nullptr;  // that it was allocated in, if any

  [[nodiscard]] bool isolated() const { return receipt.placement == LOCKFAST_ISOLATED; }
  [[nodiscard]] bool open() const { return access == LOCKFAST_READWRITE; }
};

// What is allocated by lockfast_malloc and its kin is grouped up to this size, with the alignment added to the size where it is
// one that was asked for, of at most grouped_alignment.
inline constexpr std::size_t max_grouped = 16384;
inline constexpr std::size_t grouped_alignment = 1024;

// The alignment that a secret has by its size alone: the largest power of two that divides it, up to a page.
std::size_t natural_alignment(std::size_t size);

class secrets_model {
 public:
  secrets_model();  // requires that nothing is live

  // Takes in what an allocation returned and verifies it; requires address != nullptr. alignment 0: the natural one.
  secret& admit(void* address, std::vector<std::uint8_t> contents, std::size_t alignment = 0);
  // The same for one of a compartment that has this access.
  secret& admit_in(struct lockfast_compartment* home, lockfast_access access, void* address,
                   std::vector<std::uint8_t> contents);

  // Takes in that every secret of a compartment has another access, or is gone with it; verifies each.
  void change_access(const struct lockfast_compartment* home, lockfast_access access);
  void remove_all_in(const struct lockfast_compartment* home);

  // Frees one, and verifies that nothing of it can be reached.
  void free(std::size_t index);

  // Takes in what lockfast_realloc returned for one.
  void move(std::size_t index, void* address, std::size_t size);

  // Verifies everything that is promised of one secret, of all, of the statistics, and of the kernel's map flags.
  void verify(const secret& one) const;
  void verify_all() const;
  void verify_statistics() const;
  void verify_map_flags() const;

  [[nodiscard]] std::vector<secret>& live() { return live_; }
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] bool is_live(const void* address) const;

 private:
  void verify_apart(const secret& one) const;
  void verify_bounds(const secret& one) const;
  void verify_receipt(const secret& one) const;
  void verify_gone(const secret& one) const;
  void verify_bytes_gone(const secret& one) const;
  secret& take_in(secret one);
  [[nodiscard]] bool shares_a_page(const secret& one) const;

  std::vector<secret> live_;
  std::uint64_t allocations_before_;  // this model, by lockfast_statistics
  std::uint64_t allocations_ = 0;
  std::uint64_t moves_ = 0;  // each may count as an allocation and a free
};

}  // namespace lockfast::fuzz

#endif
