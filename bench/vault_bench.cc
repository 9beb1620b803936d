// vault_bench.cc - what does a vault's record cost to insert, to open and to replace, beside the bare cipher and libsodium?
//
// The bare cipher seals and opens into memory that is there, under a key that is open: what is beyond it is the vault's own.
// With libsodium a program seals by crypto_secretbox, and opens each record into a sodium_malloc block.
#include <lockfast/vault.hpp>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/crew.h"
#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/sodium_box.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/team.h"
#include "boojum/cipher.h"
#include "boojum/nonce.h"
#include "boojum/scratch.h"

namespace lockfast::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t sizes[] = {32, kibibyte, 16 * kibibyte};
constexpr std::size_t together = 1000;  // records
constexpr int repetitions = 9;

// Enough that no processor's cache holds them all.
constexpr std::size_t population(std::size_t size) { return size == 32 ? 200'000 : 64 * kibibyte * kibibyte / size; }

enum class way : unsigned char { vault, cipher, sodium };
constexpr struct {
  way by;
  const char* name;
} ways[] = {{way::vault, "vault"}, {way::cipher, "bare cipher"}, {way::sodium, "libsodium"}};

enum class operation : unsigned char { insert, insert_together, open, open_at_hand, use_together, replace, rekey };
constexpr struct {
  operation what;
  const char* name;
} operations[] = {{operation::insert, "insert"},
                  {operation::insert_together, "insert 1,000 together, each"},
                  {operation::open, "open, cold"},
                  {operation::open_at_hand, "open, at hand"},
                  {operation::use_together, "use 1,000 together, cold, each"},
                  {operation::replace, "replace"},
                  {operation::rekey, "re-key, each"}};

struct request {
  operation what;
  std::size_t size;
  std::uint64_t count;  // of each thread
};

template <class Value>
Value must(std::expected<Value, memory_error> made) {
  if (!made) give_up(message(made.error()).data());
  if constexpr (!std::is_void_v<Value>) return std::move(*made);
}

// What is looked at of an opened record.
volatile std::byte seen;

template <class Body>
double time_of(Body&& body) {
  const auto begin = clock::now();
  body();
  return std::chrono::duration<double>(clock::now() - begin).count();
}

// Walks over the population in leaps, so that each record is cold, each thread on a way of its own.
class walk {
 public:
  walk(std::size_t count, std::size_t start) : count_(count), at_(start * count / 4) {}
  std::size_t next() { return at_ = (at_ + 7919) % count_; }

 private:
  std::size_t count_;
  std::size_t at_;
};

// ---- The three ways: each does count operations and gives the seconds that they took -------------------------------------

class records {
 public:
  virtual ~records() = default;
  virtual double run(operation what, std::uint64_t count, walk& over) = 0;
};

class vault_records final : public records {
 public:
  explicit vault_records(std::size_t size) : secret_(must(buffer<std::byte>::random(size))), ids_(population(size)) {
    const auto view = secret_.read();
    const std::vector<std::span<const std::byte>> all(ids_.size(), view.span());
    must(cold_.insert(all, ids_));
    hot_id_ = must(hot_.insert(secret_));
  }

  double run(operation what, std::uint64_t count, walk& over) override {
    switch (what) {
      case operation::insert: return insert(count);
      case operation::insert_together: return insert_together(count);
      case operation::open:
        return time_of([&] {
          for (; count > 0; --count) seen = must(cold_.open(ids_[over.next()])).data()[0];
        });
      case operation::open_at_hand:
        return time_of([&] {
          for (; count > 0; --count) seen = must(hot_.open(hot_id_)).data()[0];
        });
      case operation::use_together: return use_together(count, over);
      case operation::replace:
        return time_of([&] {
          for (; count > 0; --count) must(cold_.replace(ids_[over.next()], secret_));
        });
      case operation::rekey:
        return time_of([&] {
          for (; count > 0; --count) must(cold_.rekey());
        });
    }
    return 0;
  }

 private:
  // What was inserted is erased again, unmeasured.
  double insert(std::uint64_t count) {
    double spent = 0;
    std::vector<vault::id> made(together);
    while (count > 0) {
      const std::size_t part = std::min<std::uint64_t>(count, together);
      spent += time_of([&] {
        for (std::size_t each = 0; each < part; ++each) made[each] = must(cold_.insert(secret_));
      });
      for (std::size_t each = 0; each < part; ++each) must(cold_.erase(made[each]));
      count -= part;
    }
    return spent;
  }

  double insert_together(std::uint64_t count) {
    const auto view = secret_.read();
    const std::vector<std::span<const std::byte>> all(together, view.span());
    std::vector<vault::id> made(together);
    double spent = 0;
    for (; count > 0; --count) {
      spent += time_of([&] { must(cold_.insert(all, made)); });
      for (const vault::id each : made) must(cold_.erase(each));
    }
    return spent;
  }

  double use_together(std::uint64_t count, walk& over) {
    std::vector<vault::id> wanted(together);
    double spent = 0;
    for (; count > 0; --count) {
      for (vault::id& each : wanted) each = ids_[over.next()];
      spent += time_of([&] {
        must(cold_.use(wanted, [](vault::spans all) {
          for (const auto each : all) seen = each[0];
        }));
      });
    }
    return spent;
  }

  buffer<std::byte> secret_;
  std::vector<vault::id> ids_;
  vault cold_{vault::options{.hot_records = 0, .key_age = std::chrono::seconds(0)}};
  vault hot_;
  vault::id hot_id_;
};

class cipher_records final : public records {
 public:
  explicit cipher_records(std::size_t size) : size_(size), plain_(size), key_(internal::key_size), all_(population(size)) {
    lockfast_random(key_.data(), internal::key_size);
    lockfast_random(plain_.data(), size);
    internal::cipher by;
    for (sealed& each : all_) seal(by, each);
  }

  double run(operation what, std::uint64_t count, walk& over) override {
    return time_of([&] {
      switch (what) {
        case operation::insert:
        case operation::replace:
          for (; count > 0; --count) {
            internal::cipher by;
            seal(by, all_[over.next()]);
          }
          break;
        case operation::insert_together:
          for (; count > 0; --count) {
            internal::cipher by;
            for (std::size_t each = 0; each < together; ++each) seal(by, all_[over.next()]);
          }
          break;
        case operation::open:
          for (; count > 0; --count) {
            internal::cipher by;
            open(by, all_[over.next()]);
          }
          break;
        case operation::use_together:
          for (; count > 0; --count) {
            internal::cipher by;
            for (std::size_t each = 0; each < together; ++each) open(by, all_[over.next()]);
          }
          break;
        case operation::rekey:
          for (; count > 0; --count) {
            internal::cipher by;
            for (sealed& each : all_) {
              open(by, each);
              seal(by, each);
            }
          }
          break;
        case operation::open_at_hand: break;
      }
    });
  }

 private:
  struct sealed {
    internal::nonce once;
    std::vector<std::byte> bytes;
  };

  internal::key_view key() const { return internal::key_view(key_.data(), internal::key_size); }
  void seal(internal::cipher& by, sealed& into) const {
    into.once = internal::fresh_nonce();
    into.bytes.resize(size_ + internal::tag_size);
    if (by.seal(key(), into.once, associated_, plain_.bytes(), into.bytes) != internal::cipher_result::done) give_up("seal");
  }
  void open(internal::cipher& by, const sealed& from) const {
    thread_local const internal::scratch room(sizes[std::size(sizes) - 1]);
    const auto plain = room.bytes().first(size_);
    if (by.open(key(), from.once, associated_, from.bytes, plain) != internal::cipher_result::done) give_up("open");
    seen = plain[0];
  }

  std::size_t size_;
  internal::scratch plain_;
  internal::scratch key_;
  std::array<std::byte, 28> associated_ = {};  // as many as a vault has
  std::vector<sealed> all_;
};

class sodium_records final : public records {
 public:
  explicit sodium_records(std::size_t size) : plain_(size, 'x') {
    all_.reserve(population(size));
    while (all_.size() < population(size)) all_.push_back(box_.seal(plain_));
  }

  double run(operation what, std::uint64_t count, walk& over) override {
    std::vector<unsigned char*> blocks(together);
    return time_of([&] {
      switch (what) {
        case operation::insert:
        case operation::replace:
          for (; count > 0; --count) all_[over.next()] = box_.seal(plain_);
          break;
        case operation::insert_together:
          for (std::uint64_t each = 0; each < count * together; ++each) all_[over.next()] = box_.seal(plain_);
          break;
        case operation::open:
        case operation::open_at_hand:
          for (; count > 0; --count) {
            unsigned char* const block = box_.open(all_[over.next()]);
            seen = std::byte{block[0]};
            box_.close(block);
          }
          break;
        case operation::use_together:
          for (; count > 0; --count) {
            for (auto& each : blocks) each = box_.open(all_[over.next()]);
            for (auto* const each : blocks) {
              seen = std::byte{each[0]};
              box_.close(each);
            }
          }
          break;
        case operation::rekey: break;
      }
    });
  }

 private:
  sodium_box box_;
  std::vector<unsigned char> plain_;
  std::vector<sodium_box::record> all_;
};

// ---- Processes and threads -----------------------------------------------------------------------------------------------

struct staff {
  std::size_t processes;
  std::size_t threads;
  const char* title;
};

constexpr staff one{1, 1, "one thread"};
constexpr staff two{1, 2, "two threads"};
constexpr staff two_processes{2, 1, "two processes"};

std::unique_ptr<records> make(way by, std::size_t size) {
  if (by == way::vault) return std::make_unique<vault_records>(size);
  if (by == way::cipher) return std::make_unique<cipher_records>(size);
  return std::make_unique<sodium_records>(size);
}

double answer(way by, const staff& how, const request& wanted, std::size_t processor) {
  static crew threads(how.threads, processor);
  static const std::unique_ptr<records> all = make(by, wanted.size);
  static std::deque<walk> walks;
  while (walks.size() < how.threads) walks.emplace_back(population(wanted.size), walks.size());
  if (how.threads == 1) return all->run(wanted.what, wanted.count, walks[0]);
  return threads.run([&](std::size_t index) { (void)all->run(wanted.what, wanted.count, walks[index]); });
}

std::string title(way by, const staff& how, operation what, std::size_t size) {
  return std::to_string(static_cast<int>(by)) + " " + how.title + " " + std::to_string(static_cast<int>(what)) + " " +
         size_class(size);
}

bool is_measured(way by, operation what) {
  return by == way::vault || (by == way::cipher ? what != operation::open_at_hand : what != operation::rekey);
}

std::size_t records_of(operation what, std::size_t size) {
  if (what == operation::rekey) return population(size);
  return what == operation::insert_together || what == operation::use_together ? together : 1;
}

class runners {
 public:
  void add(way by, const staff& how, operation what, std::size_t size) {
    auto& runner = all_[std::to_string(static_cast<int>(by)) + how.title + size_class(size)];
    if (runner == nullptr) {
      runner = std::make_unique<team<request>>(
          how.processes, [] {},
          [by, &how](const request& wanted, std::size_t index) { return answer(by, how, wanted, index); });
    }
    medians::add(title(by, how, what, size),
                 [&asked = *runner, what, size](std::uint64_t count) { return asked.ask({what, size, count}); });
  }

 private:
  std::map<std::string, std::unique_ptr<team<request>>> all_;
};

constexpr operation threaded[] = {operation::open, operation::use_together, operation::open_at_hand};

void print(const medians& result) {
  const auto of = [&](way by, const staff& how, operation what, std::size_t size) {
    const std::string name = title(by, how, what, size);
    return result.has(name) ? result.of(name) / static_cast<double>(records_of(what, size)) : 0.0;
  };
  std::printf("A record of a vault: median of %lld interleaved runs; other programs took %.0f %% of the processors' time\n",
              static_cast<long long>(result.repetitions()), 100 * result.disturbance());
  for (const std::size_t size : sizes) {
    std::printf("\nRecords of %s, one of %zu\n\n", size_class(size).c_str(), population(size));
    table shown({"operation", "vault", "bare cipher", "beyond it", "libsodium", "faster"});
    for (const auto& [what, name] : operations) {
      const double ours = of(way::vault, one, what, size);
      const double bare = of(way::cipher, one, what, size);
      const double other = of(way::sodium, one, what, size);
      if (ours == 0) continue;
      shown.add({name, duration(ours), bare == 0 ? "-" : duration(bare), bare == 0 ? "-" : duration(ours - bare),
                 other == 0 ? "-" : duration(other), other == 0 ? "-" : times(other / ours)});
    }
    shown.print();
  }
  std::printf("\nRecords of 32 B: what two readers do, of what one does\n\n");
  table shown({"operation", "two threads", "two processes", "two processes, bare cipher"});
  for (const auto& [what, name] : operations) {
    if (of(way::vault, two, what, 32) == 0) continue;
    const auto gain = [&](way by, const staff& how) {
      const double single = of(by, one, what, 32);
      const double both = of(by, how, what, 32);
      return single == 0 || both == 0 ? std::string("-") : times(2 * single / both);
    };
    shown.add({name, gain(way::vault, two), gain(way::vault, two_processes), gain(way::cipher, two_processes)});
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  runners all;
  for (const std::size_t size : sizes) {
    for (const auto& [what, what_name] : operations) {
      for (const auto& [by, by_name] : ways) {
        if (is_measured(by, what) && (by != way::sodium || sodium_box::installed())) all.add(by, one, what, size);
      }
    }
  }
  for (const operation what : threaded) {
    all.add(way::vault, two, what, 32);
    all.add(way::vault, two_processes, what, 32);
    if (is_measured(way::cipher, what)) all.add(way::cipher, two_processes, what, 32);
  }
  print(medians::measure(argc, argv, repetitions));
}
