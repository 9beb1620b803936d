// little_endian.h - numbers as the formats have them: the lowest byte first, whatever the processor's own order, at any address.
//
// What does not leave the process, a share's header or what a record is bound to, is stored as the processor has it.
//
// Threads: no state.
#ifndef LOCKFAST_BOOJUM_CRYPTO_LITTLE_ENDIAN_H
#define LOCKFAST_BOOJUM_CRYPTO_LITTLE_ENDIAN_H

#include <concepts>
#include <cstddef>

namespace lockfast::internal {

template <std::unsigned_integral Number>
constexpr void store_little(std::byte* to, Number number) {
  for (std::size_t at = 0; at < sizeof number; ++at) to[at] = static_cast<std::byte>(number >> (8 * at));
}

template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number load_little(const std::byte* from) {
  Number number = 0;
  for (std::size_t at = 0; at < sizeof number; ++at)
    number |= static_cast<Number>(std::to_integer<Number>(from[at]) << (8 * at));
  return number;
}

}  // namespace lockfast::internal

#endif
