// constant_time.cc - no branch and no address depends on a secret byte: asked of valgrind's memcheck.
//
//    valgrind prove_constant_time     a line for each function; fails when one depends on a secret, or a planted leak is not found
//
// Memcheck follows undefined bits through every computation and reports when a branch or an address depends on one. So the
// secrets are marked undefined, and what it reports is counted. What a function gives back is marked defined again. Opening
// branches on the verdict, once: that the tag was right is no secret.
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>
#include <valgrind/memcheck.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <vector>

#include "allocator/cipher/aead.h"
#include "boojum/crypto/cipher_batch.h"
#include "boojum/split/share_masks.h"
#include "prove/leaving_equal.h"

using namespace lockfast::internal;

namespace {

constexpr std::size_t sizes[] = {0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 300, 511, 513, 1024, 4097};
constexpr std::size_t most = 4097;

std::array<std::byte, most> left, right, target;
bool failed = false;
int volatile sink;

template <class Kind>
void hide(Kind& secret) {
  VALGRIND_MAKE_MEM_UNDEFINED(&secret, sizeof secret);
}
template <class Kind>
void show(Kind& result) {
  VALGRIND_MAKE_MEM_DEFINED(&result, sizeof result);
}

// How many branches and addresses of a call depended on what is hidden.
template <class Call>
unsigned leaks(Call call) {
  const unsigned before = static_cast<unsigned>(VALGRIND_COUNT_ERRORS);
  call();
  return static_cast<unsigned>(VALGRIND_COUNT_ERRORS) - before;
}

void judge(const char* what, unsigned found, bool holds) {
  std::printf("%s: %s, %u dependent\n", what, holds ? "holds" : "FAILS", found);
  failed |= !holds;
}

// call(size), for every size.
template <class Call>
unsigned over_sizes(Call call) {
  unsigned found = 0;
  for (const std::size_t size : sizes) found += leaks([&] { call(size); });
  return found;
}

// ---- Planted leaks ----

std::array<unsigned char, 256> table;
[[gnu::noinline]] int substituted(const std::byte* secret) {
  return *const_cast<const volatile unsigned char*>(&table[std::to_integer<std::size_t>(*secret)]);
}

template <class Compare>
unsigned compare(Compare function) {
  return over_sizes([&](std::size_t size) {
    for (const bool same : {true, false}) {
      left.fill(std::byte{1});
      right.fill(std::byte{1});
      if (!same) right[0] = std::byte{2};
      hide(left);
      hide(right);
      int verdict = function(left.data(), right.data(), size);
      show(verdict);
      sink = verdict;
    }
  });
}

// ---- The cipher ----

struct keyed {
  std::array<std::byte, aead::key_size> key{};
  std::array<std::byte, aead::nonce_size> nonce{};
  std::array<std::byte, aead::tag_size> tag{};

  void seal(std::size_t size) {
    left.fill(std::byte{3});
    hide(key);
    hide(left);
    aead::seal(key, nonce, {}, {left.data(), size}, target.data(), tag);
  }
};

// Whether memcheck holds a result to depend on what is hidden: otherwise that no branch did would say nothing.
template <class Kind>
void follows(Kind& result) {
  Kind undefined{};
  if (VALGRIND_GET_VBITS(&result, &undefined, sizeof result) != 1) failed = true;
  const Kind none{};
  if (std::memcmp(&undefined, &none, sizeof none) == 0) {
    std::printf("a result does not depend on what is hidden\n");
    failed = true;
  }
}

unsigned sealing() {
  return over_sizes([](std::size_t size) {
    keyed one;
    one.seal(size);
    follows(one.tag);
  });
}

// The most for one call: one is the verdict.
unsigned opening(bool right_tag) {
  unsigned found = 0;
  for (const std::size_t size : sizes) {
    keyed one;
    one.seal(size);
    show(one.tag);
    if (!right_tag) one.tag[15] ^= std::byte{1};
    hide(one.tag);
    bool opened = false;
    const unsigned here = leaks([&] { opened = aead::open(one.key, one.nonce, {}, {target.data(), size}, one.tag, right.data()); });
    show(opened);
    failed |= opened != right_tag;
    found = here > found ? here : found;
  }
  return found;
}

// Several messages of the same bytes, each at a place of its own.
struct keyed_batch {
  explicit keyed_batch(std::size_t count) : all(count), onces(count), tags(count), places(count) {}

  void seal(std::size_t size) {
    left.fill(std::byte{3});
    hide(key);
    hide(left);
    for (std::size_t at = 0; at < all.size(); ++at) {
      places[at].resize(size);
      onces[at].fill(static_cast<std::byte>(at));
      all[at] = {&onces[at], {}, {left.data(), size}, places[at].data(), &tags[at]};
    }
    seal_together(key, all);
  }

  std::array<std::byte, key_size> key{};
  std::vector<batched_message> all;
  std::vector<nonce> onces;
  std::vector<std::array<std::byte, tag_size>> tags;
  std::vector<std::vector<std::byte>> places;
};

// As many as there are lanes in vectors of 16 bytes, and of 32.
constexpr std::size_t counts[] = {4, cipher_batch_size};

unsigned sealing_together() {
  unsigned found = 0;
  for (const std::size_t count : counts) {
    found += over_sizes([&](std::size_t size) {
      keyed_batch several(count);
      several.seal(size);
      for (auto& each : several.tags) follows(each);
    });
  }
  return found;
}

// The most for one message of a call: one is its verdict.
unsigned opening_together() {
  unsigned found = 0;
  for (const std::size_t count : counts) {
    for (const std::size_t size : sizes) {
      keyed_batch several(count);
      several.seal(size);
      for (std::size_t at = 0; at < count; ++at) {
        show(several.tags[at]);
        if (at % 2 != 0) several.tags[at][15] ^= std::byte{1};
        hide(several.tags[at]);
        several.all[at].from = several.places[at];
      }
      bool opened = true;
      const unsigned here = leaks([&] { opened = open_together(several.key, several.all); });
      show(opened);
      failed |= opened;
      const unsigned each = (here + static_cast<unsigned>(count) - 1) / static_cast<unsigned>(count);
      found = each > found ? each : found;
    }
  }
  return found;
}

// ---- Split secrets ----

std::array<std::byte, mixing_room::size> room_bytes;

unsigned masking() {
  return over_sizes([](std::size_t size) {
    std::array<std::byte, 64> prekey{};
    hide(prekey);
    target.fill(std::byte{4});  // what is masked is known: the mask is what is followed
    bool done = add_mask(prekey, 1, {target.data(), size}, mixing_room(room_bytes));
    show(done);
    failed |= !done;
    if (size != 0) follows(target[size - 1]);
  });
}

unsigned tagging() {
  return over_sizes([](std::size_t size) {
    std::array<std::byte, mac_key_size> key{};
    std::array<std::byte, mac_size> tag{};
    hide(key);
    hide(left);
    bool done = tag_of(key, {left.data(), size}, tag, mixing_room(room_bytes));
    show(done);
    failed |= !done;
    follows(tag);
  });
}

unsigned adding() {
  return over_sizes([](std::size_t size) {
    hide(left);
    hide(target);
    add({target.data(), size}, {left.data(), size});
  });
}

}  // namespace

int main() {
  if (RUNNING_ON_VALGRIND == 0) {
    std::printf("left out: this is to run under valgrind\n");
    return 77;
  }
  const unsigned planted_branch = compare(leaving_equal);
  judge("planted: a comparison that leaves early is found", planted_branch, planted_branch > 0);
  const unsigned planted_address = leaks([] {
    hide(left);
    int found = substituted(left.data());
    show(found);
    sink = found;
  });
  judge("planted: a table that is read at a secret's place is found", planted_address, planted_address > 0);

  const auto none = [](const char* what, unsigned found) { judge(what, found, found == 0); };
  none("lockfast_equal", compare(lockfast_equal));
  none("sodium_memcmp", compare(sodium_memcmp));
  none("aead::seal", sealing());
  for (const bool right_tag : {true, false}) {
    const unsigned found = opening(right_tag);
    judge(right_tag ? "aead::open, right tag: the verdict alone" : "aead::open, wrong tag: the verdict alone", found, found <= 1);
  }
  none("seal_together", sealing_together());
  const unsigned found_together = opening_together();
  judge("open_together, right and wrong tags: the verdicts alone", found_together, found_together <= 1);
  none("add_mask", masking());
  none("tag_of", tagging());
  none("add", adding());
  return failed ? 1 : 0;
}
