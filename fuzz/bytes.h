// bytes.h - the decoder: takes choices from an input, each from bytes of its own, and zeros once the input is used up.
#ifndef LOCKFAST_FUZZ_BYTES_H
#define LOCKFAST_FUZZ_BYTES_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::fuzz {

class bytes {
 public:
  explicit bytes(std::span<const std::uint8_t> input) : input_(input) {}

  bool empty() const { return input_.empty(); }

  std::uint8_t next() {
    if (input_.empty()) return 0;
    const std::uint8_t value = input_.front();
    input_ = input_.subspan(1);
    return value;
  }

  // A number below bound, 0 for a bound of 0; takes as many bytes as the bound has.
  std::size_t below(std::size_t bound) {
    if (bound <= 1) return 0;
    std::size_t value = 0;
    for (std::size_t rest = bound - 1; rest != 0; rest >>= 8) value = value << 8 | next();
    return value % bound;
  }

  // A size for a secret: mostly small, often close to a multiple of the page, seldom large.
  std::size_t secret_size(std::size_t page_size) {
    switch (below(16)) {
      case 0:
        return 0;
      case 1:
      case 2:
      case 3:
      case 4:
        return below(33);
      case 5:
        return std::size_t{1} << below(14);
      case 6:
      case 7:
        return (1 + below(3)) * page_size - below(40);
      case 8:
        return (1 + below(3)) * page_size + below(40);
      case 9:
        return below(64) * 16;
      case 10:
      case 11:
        return below(8 * page_size);
      case 12:
        return next() < 16 ? below(96 * page_size) : below(page_size);
      default:
        return below(256);
    }
  }

 private:
  std::span<const std::uint8_t> input_;
};

}  // namespace lockfast::fuzz

#endif
