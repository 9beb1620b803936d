// blake2b.cc - the key as the first block, and the text after it.
#include "boojum/crypto/blake2b.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "boojum/crypto/blake2b_core.h"
#include "boojum/memory/scratch.h"

namespace lockfast::internal {
namespace {

using blake2b::block_size;

// All that follows from a key or a text.
struct state {
  std::array<std::uint64_t, 8> sums;
  blake2b::work work;
  std::array<std::byte, block_size> block;
  std::uint64_t size;  // bytes so far

  void absorb(std::size_t count, bool is_last) {
    size += count;
    work.absorb(sums, block.data(), size, {.block = is_last ? ~std::uint64_t{0} : 0});
  }
};

}  // namespace

bool keyed_blake2b(std::span<const std::byte> key, std::span<const std::byte> text, std::span<std::byte> out) {
  const scratch room(sizeof(state));
  if (room.refused()) return false;
  state& in = *reinterpret_cast<state*>(room.data());
  in.sums = blake2b::start;
  in.sums[0] ^= 0x0101'0000 ^ key.size() << 8 ^ out.size();
  in.size = 0;
  in.block.fill(std::byte{0});
  std::ranges::copy(key, in.block.begin());
  in.absorb(block_size, text.empty());
  while (!text.empty()) {
    const std::size_t taken = std::min(text.size(), block_size);
    in.block.fill(std::byte{0});
    std::ranges::copy(text.first(taken), in.block.begin());
    text = text.subspan(taken);
    in.absorb(taken, text.empty());
  }
  for (std::size_t at = 0; at < in.sums.size(); ++at) store_little(in.block.data() + 8 * at, in.sums[at]);
  std::ranges::copy(std::span(in.block).first(out.size()), out.begin());
  return true;
}

}  // namespace lockfast::internal
