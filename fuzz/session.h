// session.h - one input of the operations fuzzer: its bytes, its model, and one member for each kind of operation.
//
// A member decodes what it needs, calls the library and requires that library, model and kernel agree. size_ is chosen
// before it for those that allocate; errno is 0 when it starts.
//
// Threads: one.
#ifndef LOCKFAST_FUZZ_SESSION_H
#define LOCKFAST_FUZZ_SESSION_H

#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/claims_model.h"
#include "fuzz/secrets_model.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {

class session {
 public:
  explicit session(bytes input) : input_(input) {}
  void run();

  void malloc();
  void malloc_isolated();
  void calloc();
  void aligned_alloc();
  void realloc();
  void realloc_nothing() { take_in(lockfast_realloc(nullptr, size_), 0); }
  void free();
  void free_nothing();
  void protect();
  void check();
  void audit();
  void describe();
  void statistics() { secrets_.verify_statistics(); }
  void trim();
  void write();
  void wipe();
  void equal();
  void wipe_all();
  void configure();
  void refuse_size();
  void refuse_alignment();
  void refuse_access();
  void refuse_pointer();
  void claim();
  void unclaim();
  void refuse_claim();
  void write_claimed();
  void wipe_claimed();
  void map_flags();
  void compartment_create();
  void compartment_destroy();
  void compartment_malloc();
  void compartment_protect();
  void refuse_compartment_size();

 private:
  void take_in(void* address, std::uint8_t filling, std::size_t alignment = 0);
  std::size_t choose() { return input_.below(secrets_.live().size()); }
  std::pair<std::size_t, std::size_t> range(std::size_t size);  // offset and length within size bytes
  std::size_t claim_bound();
  std::pair<std::size_t, std::size_t> claim_range();  // the same within the buffer
  void make_room();
  // One of the compartments, by a pointer to what the model knows of it.
  struct compartment {
    struct lockfast_compartment* handle;
    lockfast_access access;
  };
  compartment& choose_compartment() { return compartments_[input_.below(compartments_.size())]; }
  void change_access(compartment& of, lockfast_access access);
  void destroy(std::size_t index);
  void skip() { executed_ = false; }  // the operation does not apply: it is not counted

  bytes input_;
  std::size_t size_ = 0;  // of what an allocation asks for
  bool executed_ = true;
  secrets_model secrets_;
  std::vector<compartment> compartments_;
  static claims_model& claims();  // one for the process
};

inline void expect(int result, int wanted, const char* what) {
  if (result != wanted) disagree("%s: %d, not %d (%s)", what, result, wanted, std::strerror(errno));
}

inline void expect_refusal(bool refused, int error, const char* what) {
  if (!refused) disagree("%s is not refused", what);
  if (errno != error) disagree("%s is refused with %s, not %s", what, std::strerror(errno), std::strerror(error));
}

inline void expect_errno_kept(const char* what) {
  if (errno != 0) disagree("%s succeeds and changes errno: %s", what, std::strerror(errno));
}

}  // namespace lockfast::fuzz

#endif
