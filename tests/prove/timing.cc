// timing.cc - whether the time of a call tells two classes of secrets apart: asked of the clock, by statistics.
//
//    prove_timing          a line for each function; fails when one differs, or a planted leak is not found
//
// The test is that of O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code constant time?", 2017: calls with one fixed secret and
// calls with random ones, in random order; the two sets of times are compared by Welch's t. A scheduler adds time to some calls of
// either class, so the same is asked of the times below each of some quantiles too, and of the squares of their distances from the mean.
// The largest |t| counts. Where nothing leaks it stays small however many calls there are; a leak makes it grow with their root.
//
// It sees the time that instructions take on this processor, and what this machine's noise does not cover. constant_time.cc sees
// branches and addresses, however little time they take.
#include <lockfast/lockfast.h>
#include <lockfast/sodium.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "allocator/cipher/aead.h"
#include "prove/leaving_equal.h"

using namespace lockfast::internal;

namespace {

bool failed = false;
int volatile sink;

std::uint64_t now() {
#if defined(__x86_64__)
  _mm_lfence();
  const std::uint64_t ticks = __rdtsc();
  _mm_lfence();
  return ticks;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// Mean and variance of two classes, by Welford's sums.
class comparison {
 public:
  void add(bool is_fixed, double value) {
    sums& of = is_fixed ? fixed_ : random_;
    ++of.count;
    const double before = value - of.mean;
    of.mean += before / of.count;
    of.squares += before * (value - of.mean);
  }
  // Welch's t; 0 where there is too little to compare.
  [[nodiscard]] double t() const {
    constexpr double enough = 1000;
    if (fixed_.count < enough || random_.count < enough) return 0;
    const double error = fixed_.variance() / fixed_.count + random_.variance() / random_.count;
    return error > 0 ? std::abs(fixed_.mean - random_.mean) / std::sqrt(error) : 0;
  }
  [[nodiscard]] double mean() const { return (fixed_.mean * fixed_.count + random_.mean * random_.count) / (fixed_.count + random_.count); }

 private:
  struct sums {
    double count = 0;
    double mean = 0;
    double squares = 0;
    [[nodiscard]] double variance() const { return squares / (count - 1); }
  };
  sums fixed_;
  sums random_;
};

// What one call is given. Both classes are prepared alike, each call in memory of its own.
struct input {
  std::array<std::byte, aead::key_size> key;
  std::array<std::byte, aead::nonce_size> nonce;
  std::array<std::byte, aead::tag_size> tag;
  std::array<std::byte, 64> text;
};

constexpr std::size_t batch_size = 10000;
constexpr double limit = 10;  // of |t|; with so many comparisons, noise alone comes to 4 or 5

std::mt19937_64 generator{20170306};

template <std::size_t size>
void randomize(std::array<std::byte, size>& out) {
  for (std::byte& each : out) each = static_cast<std::byte>(generator());
}

class experiment {
 public:
  // A batch of calls: prepare(input, is_fixed), then call(input) with the clock beside it.
  template <class Prepare, class Call>
  void add_batch(Prepare prepare, Call call) {
    for (std::size_t at = 0; at < batch_size; ++at) {
      is_fixed_[at] = (generator() >> 32 & 1) != 0;
      prepare(inputs_[at], is_fixed_[at]);
    }
    for (std::size_t at = 0; at < batch_size; ++at) {
      const std::uint64_t before = now();
      sink = call(inputs_[at]);
      times_[at] = now() - before;
    }
    // The first batch warms caches and predictors up, and says where the quantiles are.
    if (bounds_.empty()) {
      find_bounds();
    } else {
      judge();
    }
  }
  [[nodiscard]] double worst() const {
    double most = std::max(all_.t(), distances_.t());
    for (const comparison& each : below_) most = std::max(most, each.t());
    return most;
  }

 private:
  void find_bounds() {
    std::vector<std::uint64_t> sorted = times_;
    std::sort(sorted.begin(), sorted.end());
    for (double quantile = 0.99; quantile > 0.05; quantile *= 0.85) {
      bounds_.push_back(sorted[static_cast<std::size_t>(quantile * (batch_size - 1))]);
    }
    below_.resize(bounds_.size());
  }
  void judge() {
    for (std::size_t at = 0; at < batch_size; ++at) {
      const auto time = static_cast<double>(times_[at]);
      all_.add(is_fixed_[at], time);
      if (times_[at] <= bounds_.front()) {
        const double distance = time - below_.front().mean();
        if (std::isfinite(distance)) distances_.add(is_fixed_[at], distance * distance);
      }
      for (std::size_t bound = 0; bound < bounds_.size(); ++bound) {
        if (times_[at] <= bounds_[bound]) below_[bound].add(is_fixed_[at], time);
      }
    }
  }

  std::vector<input> inputs_{batch_size};
  std::vector<char> is_fixed_ = std::vector<char>(batch_size);
  std::vector<std::uint64_t> times_ = std::vector<std::uint64_t>(batch_size);
  std::vector<std::uint64_t> bounds_;
  comparison all_;
  comparison distances_;
  std::vector<comparison> below_;
};

enum class expected : std::uint8_t { same, leak };

// A leak shows in every attempt; what a busy machine does to one attempt does not show in the next.
template <class Prepare, class Call>
void compare(const char* what, expected outcome, Prepare prepare, Call call) {
  constexpr int attempts = 3;
  constexpr int batches = 40;
  double least = 0;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    experiment one;
    for (int batch = 0; batch <= batches; ++batch) one.add_batch(prepare, call);
    least = attempt == 0 ? one.worst() : std::min(least, one.worst());
    if (least < limit) break;
  }
  const bool holds = (least < limit) == (outcome == expected::same);
  failed |= !holds;
  std::printf("%s%s: %s, |t| = %.1f\n", outcome == expected::leak ? "planted: " : "", what, holds ? "holds" : "FAILS", least);
  std::fflush(stdout);
}

// ---- Planted leaks ----

// A product by doubling and adding, which adds where a bit of the secret is set: a time for each number of set bits.
[[gnu::noinline]] unsigned doubled_and_added(const std::byte* secret, std::size_t size) {
  unsigned product = 1;
  for (std::size_t at = 0; at < size; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      product *= 2;
      if ((std::to_integer<unsigned>(secret[at]) >> bit & 1) != 0) product = product % 65521 + 3;
      __asm__ volatile("" : "+r"(product));
    }
  }
  return product;
}

// ---- Subjects ----

input fixed;                            // the secret of the class that has one
std::array<std::byte, 64> target;       // of what is sealed and opened
std::array<std::byte, 64> sealed_text;  // the message that tags are forged for

// Equal to the fixed text, or random.
void prepare_text(input& one, bool is_fixed) {
  randomize(one.text);
  if (is_fixed) one.text = fixed.text;
}

// A tag of which the last byte alone is wrong, or all are random: neither opens.
void prepare_tag(input& one, bool is_fixed) {
  randomize(one.tag);
  if (is_fixed) {
    one.tag = fixed.tag;
    one.tag.back() ^= std::byte{1};
  }
}
int open_forged(const input& one) {
  return aead::open(fixed.key, fixed.nonce, {}, sealed_text, one.tag, target.data()) ? 1 : 0;
}

void prepare_key(input& one, bool is_fixed) {
  randomize(one.key);
  randomize(one.nonce);
  randomize(one.text);
  if (is_fixed) {
    one.key = fixed.key;
    one.text = fixed.text;
  }
}
int seal(const input& one) {
  std::array<std::byte, aead::tag_size> tag{};
  aead::seal(one.key, one.nonce, {}, one.text, target.data(), tag);
  return std::to_integer<int>(tag[0]);
}

}  // namespace

int main() {
  randomize(fixed.key);
  randomize(fixed.nonce);
  randomize(fixed.text);
  aead::seal(fixed.key, fixed.nonce, {}, fixed.text, sealed_text.data(), fixed.tag);

  compare("a comparison that leaves early", expected::leak, prepare_text,
          [](const input& one) { return leaving_equal(one.text.data(), fixed.text.data(), one.text.size()); });
  compare("opening that then leaves early", expected::leak, prepare_tag,
          [](const input& one) { return open_forged(one) + leaving_equal(one.tag.data(), fixed.tag.data(), one.tag.size()); });
  compare("sealing that then adds where a bit of the key is set", expected::leak, prepare_key, [](const input& one) {
    return seal(one) + static_cast<int>(doubled_and_added(one.key.data(), one.key.size()));
  });

  compare("lockfast_equal", expected::same, prepare_text,
          [](const input& one) { return lockfast_equal(one.text.data(), fixed.text.data(), one.text.size()); });
  compare("sodium_memcmp", expected::same, prepare_text,
          [](const input& one) { return sodium_memcmp(one.text.data(), fixed.text.data(), one.text.size()); });
  compare("aead::open, the tag", expected::same, prepare_tag, open_forged);
  compare("aead::seal, key and text", expected::same, prepare_key, seal);
  return failed ? 1 : 0;
}
