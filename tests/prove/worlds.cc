// worlds.cc - small worlds, exhaustively: every sequence of operations up to a length, on two secrets, beside a plain model.
//
//    prove_worlds [LENGTH]     a line for each world; fails when the library and the model disagree, and prints the sequence
//
// Over the simulated host, which ends the process when its contract is broken, with so few locks that some operations are
// refused. After each operation both secrets, their receipts and the statistics are as the model has them; what is refused has
// changed nothing.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;

struct world {
  const char* options;
  std::size_t locks = 0;   // pages
  std::size_t hidden = 0;  // pages
  bool markers = false;
};

constexpr world worlds[] = {{"hidden=off,lock=required", 3},
                            {"hidden=off,lock=required,freed=recycle", 3},
                            {"hidden=off,lock=required,rest=seal", 3},
                            {"hidden=off,lock=required,rest=keep,quarantine=hold", 4},
                            {"hidden=off,lock=preferred", 2},
                            {"hidden=on,lock=required,rest=seal", 0, 3},
                            {"hidden=on,lock=preferred,freed=recycle", 1, 2},
                            {"hidden=off,lock=required", 5000, 0, true}};

// What is done to one secret, and, behind own_count, to all.
enum operation : unsigned {
  allocate_small, allocate_large, allocate_grouped, close, open_to_read, open_to_write, write, resize, release, own_count,
  trim = own_count, wipe_all, count_of_operations
};
constexpr const char* names[] = {"allocate_small", "allocate_large", "allocate_grouped", "close", "open_to_read", "open_to_write",
                                 "write", "resize", "release", "trim", "wipe_all"};

constexpr std::size_t place_count = 2;
constexpr std::size_t step_count = own_count * place_count + (count_of_operations - own_count);
constexpr std::size_t max_length = 8;

struct step {
  operation what;
  std::size_t place;  // 0 for what is done to all
};

constexpr step step_of(std::size_t number) {
  if (number >= own_count * place_count) return {static_cast<operation>(own_count + number - own_count * place_count), 0};
  return {static_cast<operation>(number % own_count), number / own_count};
}

// ---- The model ----------------------------------------------------------------------------------------------------------------

struct held {
  unsigned char* secret = nullptr;
  std::vector<unsigned char> bytes;
  lockfast_access access = LOCKFAST_READWRITE;
  bool grouped = false;
};

using sequence = std::array<std::size_t, max_length>;

class small_world {
 public:
  small_world(const sequence& steps, std::size_t length) : steps_(steps), length_(length) {}

  // Does the steps up to the first that makes no sense; which that is, or the length.
  std::size_t run() {
    (void)lockfast_trim();
    std::size_t at = 0;
    for (; at < length_; ++at) {
      done_ = at + 1;
      const step one = step_of(steps_[at]);
      if (!perform(one)) break;
      verify();
    }
    for (held& each : held_) {
      if (each.secret != nullptr) lockfast_free(each.secret);
      each = {};
    }
    verify();
    return at;
  }

 private:
  void expect(bool holds, const char* what) const {
    if (holds) return;
    std::string text = std::string(what) + " after";
    for (std::size_t at = 0; at < done_; ++at) {
      const step one = step_of(steps_[at]);
      text.append(" ").append(names[one.what]);
      if (one.what < own_count) text.append("(").append(std::to_string(one.place)).append(")");
    }
    promised(false, text.c_str());
  }

  // Whether it makes sense.
  bool perform(step one) {
    held& own = held_[one.place];
    const bool is_there = own.secret != nullptr;
    switch (one.what) {
      case allocate_small: return !is_there && allocate(own, lockfast_malloc_isolated(32), 32, false);
      case allocate_large: return !is_there && allocate(own, lockfast_malloc_isolated(page + 1), page + 1, false);
      case allocate_grouped: return !is_there && allocate(own, lockfast_malloc(200), 200, true);
      case close: return is_there && protect(own, LOCKFAST_NOACCESS);
      case open_to_read: return is_there && protect(own, LOCKFAST_READONLY);
      case open_to_write: return is_there && protect(own, LOCKFAST_READWRITE);
      case write:
        if (!is_there || own.access != LOCKFAST_READWRITE) return false;
        fill(own);
        return true;
      case resize: return is_there && change_size(own);
      case release:
        if (!is_there) return false;
        lockfast_free(own.secret);
        own = {};
        return true;
      case trim: (void)lockfast_trim(); return true;
      case wipe_all:
        lockfast_wipe_all();
        for (held& each : held_) std::ranges::fill(each.bytes, 0);
        return true;
      default: return false;
    }
  }

  void fill(held& own) {
    std::ranges::fill(own.bytes, static_cast<unsigned char>(++last_value_ % 255 + 1));
    std::ranges::copy(own.bytes, own.secret);
  }

  bool allocate(held& own, void* made, std::size_t size, bool grouped) {
    if (made == nullptr) {
      expect(errno == ENOMEM, "a refusal with another errno");
      return true;
    }
    own = {static_cast<unsigned char*>(made), std::vector<unsigned char>(size), LOCKFAST_READWRITE, grouped};
    expect(std::ranges::equal(own.bytes, std::span(own.secret, size)), "new memory is not zero");
    fill(own);
    return true;
  }

  bool protect(held& own, lockfast_access to) {
    if (lockfast_protect(own.secret, to) == 0) {
      expect(!own.grouped, "a grouped secret has an access of its own");
      own.access = to;
    } else {
      expect(errno == (own.grouped ? ENOTSUP : ENOMEM), "a refusal with another errno");
    }
    return true;
  }

  bool change_size(held& own) {
    const std::size_t to = own.bytes.size() == 32 ? page + 1 : own.bytes.size() == 200 ? 500 : 32;
    void* const moved = lockfast_realloc(own.secret, to);
    if (moved == nullptr) {
      expect(errno == ENOMEM, "a refusal with another errno");
      return true;
    }
    own.secret = static_cast<unsigned char*>(moved);
    own.bytes.resize(to);  // what it has grown by is zero
    return true;
  }

  void verify() {
    lockfast_statistics now;
    lockfast_get_statistics(&now);
    std::size_t live = 0;
    std::size_t bytes = 0;
    for (const held& own : held_) {
      if (own.secret == nullptr) continue;
      ++live;
      bytes += own.bytes.size();
      lockfast_receipt found;
      expect(lockfast_describe(own.secret, &found) == 0, "a live secret has no receipt");
      expect(found.access == own.access && found.size == own.bytes.size(), "the receipt is of another access or size");
      if (own.access == LOCKFAST_NOACCESS) continue;
      expect(std::ranges::equal(own.bytes, std::span(own.secret, own.bytes.size())), "the contents have changed");
    }
    expect(now.live == live && now.allocations - now.frees == live, "the statistics count other secrets");
    expect(now.bytes_live == bytes, "the statistics count other bytes");
    expect(now.bytes_locked >= simulated::bytes_locked(), "more is locked than is counted");
    expect(lockfast_audit() == 0, "an audit finds damage");
  }

  const sequence& steps_;
  std::size_t length_;
  std::size_t done_ = 0;
  std::size_t last_value_ = 0;
  std::array<held, place_count> held_ = {};
};

// ---- All sequences ------------------------------------------------------------------------------------------------------------

std::size_t try_all(std::size_t length) {
  sequence steps = {};
  std::size_t tried = 0;
  for (;;) {
    std::size_t last = small_world(steps, length).run();
    ++tried;
    // The next one that begins with other steps than those that made sense.
    if (last == length) --last;
    for (std::size_t at = last + 1; at < length; ++at) steps[at] = 0;
    while (++steps[last] == step_count) {
      steps[last] = 0;
      if (last-- == 0) return tried;
    }
  }
}

bool holds(const world& in, std::size_t length) {
  const ending end = in_child([&] {
    prove(set_variable("LOCKFAST_OPTIONS", in.options), "the options");
    simulated::reset();
    simulated::set_lock_limit(in.locks * page);
    simulated::set_hidden_limit(in.hidden * page);
    simulated::set_guard_markers(in.markers);
    if (in.markers) simulated::set_map_limit(1000);
    say(std::to_string(try_all(length)).c_str());
  });
  const std::string of = std::string(in.options) + (in.markers ? ", between markers" : "");
  if (end.clean()) {
    std::printf("%s: holds in %s sequences\n", of.c_str(), end.text.c_str());
  } else {
    std::printf("%s: FAILS: %s\n", of.c_str(), end.text.c_str());
  }
  return end.clean();
}

}  // namespace

int main(int count, char** arguments) {
  const std::size_t length = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 4;
  if (length == 0 || length > max_length) {
    std::fprintf(stderr, "usage: prove_worlds [LENGTH], from 1 to %zu\n", max_length);
    return 2;
  }
  bool all = true;
  for (const world& each : worlds) all = holds(each, length) && all;
  return all ? 0 : 1;
}
