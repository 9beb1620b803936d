// pattern.h - what the secrets of the machine hold, byte by byte; the same in the machine and for those who search its files.
//
// A pattern is the secret of one type in one process. Each of its bytes is computed alone, so that no word of it is ever in
// a constant, on a command line or in a file.
#ifndef LOCKFAST_TESTS_RESIDUE_PATTERN_H
#define LOCKFAST_TESTS_RESIDUE_PATTERN_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace residue {

constexpr std::size_t pattern_size = 32;  // bytes
constexpr unsigned pattern_count = 16;    // secrets of a type that a process holds

enum type : unsigned {
  plain,        // malloc
  sodium,       // sodium_malloc of libsodium
  isolated,     // lockfast_malloc_isolated
  grouped,      // lockfast_malloc
  compartment,  // lockfast_compartment_malloc
  ram,          // ram_memory
  split,        // non_contiguous_memory, its shares in RAM
  split_file,   // the same with a share in a file
  file,         // file_memory
  phrase,       // passphrase
  record,       // a vault's, without cached records
  cached,       // a vault's, with them
  saved,        // of a vault that was saved to a file and loaded from it
  piped,        // a buffer that secret_input read from a pipe
  type_count
};

constexpr std::array<const char*, type_count> type_name = {"plain",  "sodium", "isolated",   "grouped", "compartment",
                                                           "ram",    "split",  "split_file", "file",    "phrase",
                                                           "record", "cached", "saved",      "piped"};

// One byte of a pattern; holder is the number of the process. The function is splitmix64's.
constexpr unsigned char pattern_byte(std::uint64_t seed, unsigned holder, unsigned of_type, unsigned secret, std::size_t at) {
  std::uint64_t mixed =
      seed + ((std::uint64_t{holder} * type_count + of_type) * pattern_count + secret) * pattern_size + at + 1;
  mixed *= 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return static_cast<unsigned char>((mixed ^ (mixed >> 31)) >> 56);
}

}  // namespace residue

#endif
