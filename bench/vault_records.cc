// vault_records.cc - the vault, the bare cipher, and libsodium.
#include "bench/vault_records.h"

#include <lockfast/vault.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <type_traits>
#include <vector>

#include "bench/sodium_box.h"
#include "bench/subject.h"
#include "boojum/crypto/cipher.h"
#include "boojum/crypto/nonce.h"
#include "boojum/memory/scratch.h"

namespace lockfast::bench {
namespace {

template <class Value>
Value must(std::expected<Value, memory_error> made) {
  if (!made) give_up(message(made.error()).data());
  if constexpr (!std::is_void_v<Value>) return std::move(*made);
}

// What is looked at of an opened record.
volatile std::byte seen;

template <class Body>
double time_of(Body&& body) {
  using clock = std::chrono::steady_clock;
  const auto begin = clock::now();
  body();
  return std::chrono::duration<double>(clock::now() - begin).count();
}

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
    for (sealed& each : all_) seal(each);
  }

  double run(operation what, std::uint64_t count, walk& over) override {
    return time_of([&] {
      switch (what) {
        case operation::insert:
        case operation::replace:
          for (; count > 0; --count) {
            seal(all_[over.next()]);
          }
          break;
        case operation::insert_together:
          for (; count > 0; --count) {
            for (std::size_t each = 0; each < together; ++each) seal(all_[over.next()]);
          }
          break;
        case operation::open:
          for (; count > 0; --count) {
            open(all_[over.next()]);
          }
          break;
        case operation::use_together:
          for (; count > 0; --count) {
            for (std::size_t each = 0; each < together; ++each) open(all_[over.next()]);
          }
          break;
        case operation::rekey:
          for (; count > 0; --count) {
            for (sealed& each : all_) {
              open(each);
              seal(each);
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
  void seal(sealed& into) const {
    into.once = *internal::fresh_nonce();
    into.bytes.resize(size_ + internal::tag_size);
    internal::seal(key(), into.once, associated_, plain_.bytes(), into.bytes);
  }
  void open(const sealed& from) const {
    thread_local const internal::scratch room(max_record);
    const auto plain = room.bytes().first(size_);
    if (!internal::open(key(), from.once, associated_, from.bytes, plain)) give_up("open");
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

class bare_page final : public records {
 public:
  double run(operation, std::uint64_t count, walk&) override {
    thread_local const page own;
    return time_of([&] {
      for (; count > 0; --count) own.open_and_close();
    });
  }

 private:
  // Between two others without access, so that no change joins or splits a map.
  class page {
   public:
    page() : base_(mmap(nullptr, 3 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
      if (base_ == MAP_FAILED) give_up("mmap");
    }
    ~page() { munmap(base_, 3 * size_); }
    page(const page&) = delete;
    page& operator=(const page&) = delete;

    void open_and_close() const {
      auto* const middle = static_cast<std::byte*>(base_) + size_;
      if (::mprotect(middle, size_, PROT_READ | PROT_WRITE) != 0) give_up("mprotect");
      seen = *middle;
      if (::mprotect(middle, size_, PROT_NONE) != 0) give_up("mprotect");
    }

   private:
    const std::size_t size_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* base_;
  };
};

}  // namespace

std::unique_ptr<records> make_records(way by, std::size_t size) {
  if (by == way::mprotect) return std::make_unique<bare_page>();
  if (by == way::vault) return std::make_unique<vault_records>(size);
  if (by == way::cipher) return std::make_unique<cipher_records>(size);
  return std::make_unique<sodium_records>(size);
}

bool does(way by, operation what) {
  if (by == way::mprotect) return what == operation::open_at_hand;
  if (by == way::sodium) return sodium_box::installed() && what != operation::rekey;
  return by == way::vault || what != operation::open_at_hand;
}

}  // namespace lockfast::bench
