// rest_key_test.cc - the key of sealed secrets by itself, over the simulated host: what is left of it when everything is wiped.
#include "allocator/isolated/rest_key.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "allocator/base/bytes.h"
#include "allocator/cipher/aead.h"
#include "platform/simulated/host.h"
#include "support/check.h"
#include "support/child.h"
#include "unit/closed_secret.h"

using namespace lockfast::internal;
namespace platform = lockfast::platform;
namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t size = 32;
constexpr rest_key::bond bond = {1, size, 1};

struct sealed {
  explicit sealed(platform::fork_policy policy = platform::fork_policy::absent) {
    key.prepare(policy, EPERM);
    record = sealed_record::take(size);
    prove(record != nullptr && key.seal(bond, plain.data(), size, *record) == 0, "a sealed secret");
  }
  [[nodiscard]] rest_key::outcome opened(std::byte (&out)[size]) const { return key.open(bond, *record, out, size); }

  rest_key key;
  std::array<std::byte, size> plain = {std::byte{'x'}};
  sealed_record* record = nullptr;
};

// The one locked page of this process.
const std::byte* key_page() {
  for (const auto& [base, block] : simulated::the_host().blocks) {
    const auto locked = std::ranges::find_if(block.pages, [](const auto& page) { return page.locked; });
    if (locked != block.pages.end())
      return base + (locked - block.pages.begin()) * static_cast<std::ptrdiff_t>(platform::page_size());
  }
  return nullptr;
}

// But for the number of keys, which comes first.
bool holds_no_key() {
  constexpr std::size_t number_size = sizeof(std::uint32_t);
  return all_zero(key_page() + number_size, platform::page_size() - number_size);
}

}  // namespace

TEST_CASE("wiping leaves no byte of the key, and what was sealed opens as zeros over whatever was there") {
  check_clean(in_child([] {
    sealed one;
    prove(key_page() != nullptr && !holds_no_key(), "a key");
    one.key.wipe();
    promised(holds_no_key(), "wiped");
    std::byte out[size];
    std::ranges::fill(out, std::byte{'o'});
    promised(one.opened(out) == rest_key::outcome::wiped && all_zero(out, size), "zeros");
    promised(one.key.verify(bond, *one.record, size) == rest_key::outcome::wiped, "wiped, not damaged");
  }));
}

TEST_CASE("a record that somebody seals under the zeros of a wiped key does not open") {
  check_clean(in_child([] {
    sealed one;
    one.key.wipe();
    const std::byte key[aead::key_size] = {};
    std::byte nonce[aead::nonce_size] = {};
    std::memcpy(nonce + sizeof nonce - sizeof one.record->number, &one.record->number, sizeof one.record->number);
    aead::seal(key, aead::nonce_view(nonce), std::as_bytes(std::span(&bond, 1)), one.plain, one.record->bytes(),
               one.record->tag);
    std::byte out[size];
    promised(one.opened(out) == rest_key::outcome::wiped && all_zero(out, size), "zeros");
  }));
}

TEST_CASE("a wipe that comes while the key's page is given back is made up for where the page stays") {
  check_clean(in_child([] {
    sealed one;
    const auto wiped_meanwhile = [](void* key) {
      static_cast<rest_key*>(key)->wipe();
      return false;
    };
    promised(one.key.give_back(wiped_meanwhile, &one.key) == 0, "a record needs it");
    promised(holds_no_key(), "wiped");
    promised(one.key.verify(bond, *one.record, size) == rest_key::outcome::wiped, "and so is what was sealed");
  }));
}

TEST_CASE("a record that is given back is wiped") {
  check_clean(in_child([] {
    const sealed one;
    prove(!all_zero(one.record->bytes(), size), "sealed bytes");
    sealed_record::give_back(one.record, size);
    promised(all_zero(one.record->bytes(), size), "wiped");
  }));
}

TEST_CASE("a key that was made in a secret's page has nothing of the secret beside it") {
  check_clean(in_child([] {
    options("lock=preferred,rest=seal");
    simulated::set_lock_limit(platform::page_size());
    void* const secret = closed_secret(size, 1);
    prove(is_sealed(secret) && key_page() != nullptr, "a key in the only page that is locked");
    promised(all_zero(key_page() + rest_key::founding_size, platform::page_size() - rest_key::founding_size), "zeros");
    open_whole(secret, size, 1);
  }));
}
