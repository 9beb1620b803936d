// vault_records.h - records held in one of three ways, and what is done to them: what vault_bench measures.
#ifndef LOCKFAST_BENCH_VAULT_RECORDS_H
#define LOCKFAST_BENCH_VAULT_RECORDS_H

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lockfast::bench {

inline constexpr std::size_t max_record = 16 * 1024;  // bytes
inline constexpr std::size_t together = 1000;             // records of one call

// How many records there are: enough that no processor's cache holds them all.
constexpr std::size_t population(std::size_t size) { return size == 32 ? 200'000 : (std::size_t{64} << 20) / size; }

// The vault; the bare cipher, into memory that is there and under a key that is open; crypto_secretbox of libsodium, into a
// sodium_malloc block for each. And what no way to open a block gets round: a page's access changed, and changed back.
enum class way : unsigned char { vault, cipher, sodium, mprotect };

enum class operation : unsigned char { insert, insert_together, open, open_at_hand, use_together, replace, rekey };

// Walks over the population in leaps, so that each record is cold, each thread on a way of its own.
class walk {
 public:
  walk(std::size_t count, std::size_t start) : count_(count), at_(start * count / 4) {}
  std::size_t next() { return at_ = (at_ + leap) % count_; }

 private:
  static constexpr std::size_t leap = 7919;

  std::size_t count_;
  std::size_t at_;
};

class records {
 public:
  virtual ~records() = default;

  // Does count operations, and gives the seconds that they took. From any thread, with a walk of its own, where nothing is
  // changed.
  virtual double run(operation what, std::uint64_t count, walk& over) = 0;
};

// A whole population.
[[nodiscard]] std::unique_ptr<records> make_records(way by, std::size_t size);

// Whether such a thing can be asked.
[[nodiscard]] bool does(way by, operation what);

}  // namespace lockfast::bench

#endif
