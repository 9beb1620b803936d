// holder.h - the victim: a process that holds one secret of each kind, and ordinary memory beside them, while it is attacked.
//
//    const holder victim("hidden=on");
//    REQUIRE(victim.holds(LOCKFAST_HIDDEN));
//    CHECK(reads(victim.process(), victim.at(ordinary), victim.of(ordinary)));          // the control
//    CHECK_FALSE(reads(victim.process(), victim.at(isolated), victim.of(isolated)));    // the attack
//
// The victim sleeps in read(2) until the holder goes, and then dies without a last word. Any process of its user may trace it.
#ifndef LOCKFAST_TESTS_THREAT_HOLDER_H
#define LOCKFAST_TESTS_THREAT_HOLDER_H

#include <lockfast/lockfast.h>
#include <sys/types.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "tools/attacks/mark.h"
#include "tools/attacks/tracer.h"

using lockfast::attacks::mark;
using lockfast::attacks::mark_size;
using lockfast::attacks::tap;

enum kind : unsigned {
  ordinary,            // the heap's: the control of every attack
  shared,              // a memfd that the victim keeps open and mapped: the control of attacks on descriptors
  isolated,            //
  isolated_closed,     // at no access
  large,               // with a region to itself
  grouped,             //
  compartment,         // open
  compartment_closed,  //
  freed,               // isolated once; its bytes may be nowhere
  kinds
};
inline constexpr std::array open_secrets = {isolated, large, grouped, compartment};
inline constexpr std::array closed_secrets = {isolated_closed, compartment_closed};
inline constexpr std::array live_secrets = {isolated, isolated_closed, large, grouped, compartment, compartment_closed};
std::string name_of(unsigned kind);

// What a holder's process has. It is made in that process, after its policy was set.
struct holding {
  unsigned series = 0;
  std::array<unsigned char*, kinds> at = {};
  std::array<lockfast_receipt, kinds> receipts = {};
  lockfast_compartment* opened = nullptr;
  lockfast_compartment* closed = nullptr;
  std::array<unsigned, kinds> keys = {};  // protection keys
  lockfast_receipt at_rest = {};           // of isolated_closed, once it is closed; those above are of open secrets

  explicit holding(unsigned of_series);
  [[nodiscard]] mark of(unsigned kind) const { return {series, kind}; }
  [[nodiscard]] bool whole(unsigned kind) const { return of(kind).stands_at(at[kind]); }
  // Whether what is closed is so by a protection key, which only the process's own threads heed.
  [[nodiscard]] bool closed_by_key(unsigned kind) const { return keys[kind] != 0; }
  // Opens what is closed; before that, only open secrets can be looked at.
  void open_all() const;
  void free_all() const;
};

unsigned next_series();

// A backing as a test asks for it. Call take_on in a child, before anything is allocated.
struct backing {
  std::string name;
  std::string options;
  lockfast_backing kind;
  std::function<void()> first;

  void take_on(const std::string& more_options = {}) const;
};
// Those that this machine can give; says on the test's output which are left out.
std::vector<backing> backings();

class holder {
 public:
  // The options are of LOCKFAST_OPTIONS; first runs in the victim before anything else, as a user or limit to take on.
  explicit holder(const std::string& options_text, const std::function<void()>& first = [] {});
  explicit holder(const backing& of) : holder(of.options, of.first) {}
  ~holder();
  holder(const holder&) = delete;
  holder& operator=(const holder&) = delete;

  // Whether the victim stands and every live secret of it has this backing by its receipt.
  [[nodiscard]] bool holds(lockfast_backing backing) const;
  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] const unsigned char* at(unsigned kind) const { return have_.at[kind]; }
  [[nodiscard]] mark of(unsigned kind) const { return have_.of(kind); }
  [[nodiscard]] bool closed_by_key(unsigned kind) const { return have_.closed_by_key(kind); }
  [[nodiscard]] const lockfast_receipt& at_rest() const { return have_.at_rest; }
  // For a debugger that makes the victim write.
  [[nodiscard]] tap out() const { return out_; }

 private:
  pid_t process_ = -1;
  int lifeline_ = -1;
  tap out_ = {-1, -1};
  holding have_;
};

#endif
