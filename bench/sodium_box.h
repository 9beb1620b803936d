// sodium_box.h - records as a program keeps them with libsodium alone: sealed by crypto_secretbox in ordinary memory, each opened
// into a sodium_malloc block, under a key in another one that is closed between two calls.
#ifndef LOCKFAST_BENCH_SODIUM_BOX_H
#define LOCKFAST_BENCH_SODIUM_BOX_H

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace lockfast::bench {

class sodium_box {
 public:
  static constexpr std::size_t nonce_size = 24;
  static constexpr std::size_t tag_size = 16;

  struct record {
    std::array<unsigned char, nonce_size> nonce;
    std::vector<unsigned char> sealed;
  };

  // Whether libsodium is there; a line on standard error says when it is not.
  [[nodiscard]] static bool installed();

  sodium_box();
  ~sodium_box();
  sodium_box(const sodium_box&) = delete;
  sodium_box& operator=(const sodium_box&) = delete;

  [[nodiscard]] record seal(std::span<const unsigned char> plain) const;
  // A block that can be read; close() wipes it and gives it back.
  [[nodiscard]] unsigned char* open(const record& from) const;
  void close(unsigned char* block) const;

  // Without a block: the caller's memory, the key open.
  void open_into(const record& from, std::span<unsigned char> plain) const;

 private:
  unsigned char* key_;
};

}  // namespace lockfast::bench

#endif
