// cores.cc - the pure cores, tried on every input of a range, or on every input of a small world.
//
//    prove_cores      a line for each core; fails when one is wrong anywhere
//
// The code under proof is the library's own: its headers are included and its objects linked. The range is the whole domain unless
// a part says otherwise.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "allocator/base/interval_set.h"
#include "allocator/cipher/chacha20.h"
#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "allocator/isolated/span.h"
#include "allocator/ledger.h"
#include "platform/simulated/simulated.h"

using namespace lockfast::internal;
namespace simulated = lockfast::simulated;

namespace {

bool failed = false;

// What one core was tried on.
struct verdict {
  const char* what;
  std::uint64_t tried = 0;
  std::uint64_t wrong = 0;

  explicit verdict(const char* named) : what(named) {}
  ~verdict() {
    std::printf("%s: %s, %llu inputs\n", what, wrong == 0 && tried != 0 ? "holds" : "FAILS", static_cast<unsigned long long>(tried));
    failed |= wrong != 0 || tried == 0;
  }
  verdict(const verdict&) = delete;
  verdict& operator=(const verdict&) = delete;

  void expect(bool holds) {
    ++tried;
    wrong += holds ? 0 : 1;
  }
};

constexpr std::size_t page = 4096;

// ---- Size classes: the smallest that holds the size, for every size ----

void size_classes() {
  verdict of("size_class");
  for (std::size_t index = 1; index < size_class::count; ++index) of.expect(size_class::capacity(index - 1) < size_class::capacity(index));
  for (std::size_t size = 0; size <= size_class::max_capacity; ++size) {
    const std::size_t index = size_class::of(size);
    of.expect(index < size_class::count && size_class::capacity(index) >= size && (index == 0 || size_class::capacity(index - 1) < size));
    // At most a fifth of a larger slot is not asked for.
    of.expect(size <= 128 || (size_class::capacity(index) - size) * 5 < size_class::capacity(index));
  }
}

// ---- The slot of an address, by a product with the reciprocal: every address of every place, of every class and alignment ----

void slot_of_address() {
  verdict of("slot by reciprocal");
  // Addresses alone are computed: no byte of the place is touched.
  auto* const place = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 30);
  for (std::size_t index = 0; index < size_class::count; ++index) {
    const std::size_t capacity = size_class::capacity(index);
    for (const std::size_t run : {std::size_t{60} * 1024, std::size_t{252} * 1024}) {
      for (std::size_t alignment = 16; alignment <= 64; alignment *= 2) {
        slab one(slab_region::none());
        if (!one.cut(place, run, capacity, alignment)) continue;
        const std::size_t stride = static_cast<std::size_t>(one.place(1) - one.place(0));
        const std::size_t lead = static_cast<std::size_t>(one.place(0) - place) - slab::margin;
        of.expect(stride >= capacity + slab::overhead && stride % alignment == 0);
        for (std::size_t at = 0; at < run; ++at) {
          const std::size_t found = one.index_of(place + at);
          if (at >= lead) of.expect(found == (at - lead) / stride);
          if (at < lead) of.expect(found >= (run - lead) / stride);
        }
      }
    }
  }
}

// ---- Where an isolated secret lies: every size up to three pages, every alignment up to four ----

void right_alignment() {
  verdict of("right alignment");
  const std::uintptr_t end = std::uintptr_t{1} << 30;
  for (std::size_t alignment = 1; alignment <= 4 * page; alignment *= 2) {
    for (std::size_t size = 0; size <= 3 * page; ++size) {
      const span::tenancy placed = span::fit(reinterpret_cast<std::byte*>(end), size, alignment, page);
      const auto address = reinterpret_cast<std::uintptr_t>(placed.address);
      const std::uintptr_t run_end = address + size + placed.gap;
      const std::uintptr_t run = run_end - placed.run_size;
      of.expect(placed.size == size && address % alignment == 0 && run % page == 0 && run_end % page == 0 && run_end <= end);
      // The gap is as small as the alignment allows, and no page is more than canary and secret need.
      of.expect(placed.gap < page && (size % std::min(alignment, page) != 0 || placed.gap == 0));
      of.expect(end - address - size < alignment);
      of.expect(run + canary::size <= address && address - canary::size - run < page);
    }
  }
}

// ---- Sets of intervals: every sequence of four changes to six addresses, against a set of bits ----

void intervals() {
  verdict of("interval_set");
  constexpr unsigned addresses = 6;
  struct change {
    bool add;
    unsigned begin, end;
  };
  std::vector<change> changes;
  for (const bool add : {true, false}) {
    for (unsigned begin = 0; begin < addresses; ++begin) {
      for (unsigned end = begin + 1; end <= addresses; ++end) changes.push_back({add, begin, end});
    }
  }
  interval_set set;
  const auto apply = [&](unsigned bits, const change& one) {
    const unsigned mask = (1U << one.end) - (1U << one.begin);
    if (!set.reserve_nodes(1)) return ~0U;
    if (one.add) set.add(one.begin + 1, one.end + 1);
    if (!one.add) set.remove(one.begin + 1, one.end + 1);
    return one.add ? bits | mask : bits & ~mask;
  };
  // Read back by its only query; intervals that touch would be one too many.
  const auto read = [&] {
    unsigned bits = 0;
    std::uintptr_t before = 0;
    for (const auto* at = set.first_ending_after(0); at != nullptr; at = set.first_ending_after(at->end)) {
      if (at->begin >= at->end || (before != 0 && at->begin <= before)) return ~0U;
      bits |= (1U << (at->end - 1)) - (1U << (at->begin - 1));
      before = at->end;
    }
    return bits;
  };
  const std::size_t count = changes.size();
  for (std::size_t sequence = 0; sequence < count * count * count * count; ++sequence) {
    set.clear();
    unsigned bits = 0;
    for (std::size_t rest = sequence, step = 0; step < 4; ++step, rest /= count) bits = apply(bits, changes[rest % count]);
    of.expect(read() == bits);
  }
}

// ---- The ledger: every sequence of three calls by ranges around the edges of three pages, against a set of bytes ----

void ledger_arithmetic() {
  verdict of("ledger");
  simulated::reset();
  constexpr std::size_t pages = 3;
  constexpr std::size_t edges[] = {0, 1, page - 1, page, page + 1, 2 * page, 3 * page};
  struct freed {
    void operator()(unsigned char* bytes) const { operator delete(bytes, std::align_val_t(page)); }
  };
  const std::unique_ptr<unsigned char, freed> memory(static_cast<unsigned char*>(operator new(page * pages, std::align_val_t(page))));
  std::memset(memory.get(), 7, page * pages);
  struct call {
    bool claim;
    std::size_t begin, end;
  };
  std::vector<call> calls;
  for (const bool claim : {true, false}) {
    for (const std::size_t begin : edges) {
      for (const std::size_t end : edges) {
        if (begin < end) calls.push_back({claim, begin, end});
      }
    }
  }
  // The pieces between two edges are what a call may claim apart.
  constexpr std::size_t pieces = std::size(edges) - 1;
  const auto apply = [&](unsigned claimed, const call& one) {
    ledger& all = ledger::of_process();
    of.expect((one.claim ? all.claim(memory.get() + one.begin, one.end - one.begin)
                         : all.disclaim(memory.get() + one.begin, one.end - one.begin)) == 0);
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      if (edges[piece] < one.begin || edges[piece] >= one.end) continue;
      claimed = one.claim ? claimed | 1U << piece : claimed & ~(1U << piece);
    }
    return claimed;
  };
  const std::size_t count = calls.size();
  for (std::size_t sequence = 0; sequence < count * count * count; ++sequence) {
    unsigned claimed = 0;
    for (std::size_t rest = sequence, step = 0; step < 3; ++step, rest /= count) claimed = apply(claimed, calls[rest % count]);
    for (std::size_t which = 0; which < pages; ++which) {
      bool any = false;
      for (std::size_t piece = 0; piece < pieces; ++piece) any |= (claimed >> piece & 1) != 0 && edges[piece] / page == which;
      of.expect(simulated::foreign_locked(memory.get() + which * page) == any);
    }
    (void)ledger::of_process().disclaim(memory.get(), page * pages);
  }
}

// ---- Cipher counters: each length from each counter where the vectors' steps, and a byte's, carry over, block by block ----

void cipher_counters() {
  verdict of("cipher counter");
  std::array<std::byte, chacha20::key_size> key;
  std::array<std::byte, chacha20::nonce_size> nonce;
  for (std::size_t at = 0; at < key.size(); ++at) key[at] = static_cast<std::byte>(at * 7 + 1);
  for (std::size_t at = 0; at < nonce.size(); ++at) nonce[at] = static_cast<std::byte>(at * 5 + 3);
  const chacha20 stream(key, nonce);
  constexpr std::size_t blocks = 20;
  constexpr std::size_t most = blocks * chacha20::block_size;
  static constexpr std::array<std::byte, most> zeros{};
  std::array<std::byte, most + 1> whole;
  std::array<std::byte, most> single;
  std::vector<std::uint32_t> counters;
  for (const std::uint64_t carry : {std::uint64_t{32}, std::uint64_t{1} << 8, std::uint64_t{1} << 16, std::uint64_t{1} << 24, std::uint64_t{1} << 31}) {
    for (std::uint64_t at = carry - 24; at < carry + 8; ++at) counters.push_back(static_cast<std::uint32_t>(at));
  }
  for (std::uint64_t back = blocks + 1; back < blocks + 9; ++back) counters.push_back(static_cast<std::uint32_t>((std::uint64_t{1} << 32) - back));
  for (const std::uint32_t counter : counters) {
    for (std::uint32_t block = 0; block < blocks; ++block) {
      std::byte* const one = single.data() + block * chacha20::block_size;
      stream.add_keystream(counter + block, zeros.data(), one, chacha20::block_size);
      // No two blocks are the same.
      for (std::uint32_t other = 0; other < block; ++other) {
        of.expect(std::memcmp(one, single.data() + other * chacha20::block_size, chacha20::block_size) != 0);
      }
    }
    for (std::size_t size = 0; size <= most; ++size) {
      whole[size] = std::byte{0x5a};
      stream.add_keystream(counter, zeros.data(), whole.data(), size);
      of.expect(std::memcmp(whole.data(), single.data(), size) == 0 && whole[size] == std::byte{0x5a});
    }
  }
}

}  // namespace

int main() {
  simulated::reset();
  size_classes();
  slot_of_address();
  right_alignment();
  intervals();
  ledger_arithmetic();
  cipher_counters();
  return failed ? 1 : 0;
}
