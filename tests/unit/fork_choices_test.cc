// fork_choices_test.cc - what a forked child chooses by itself, over the simulated host: places, slots and the key that it seals under.
//
// Two children begin with the same state and make the same calls. Without the system's generator their random bytes differ by the
// process alone, if they draw any.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "allocator/base/random.h"
#include "allocator/grouped/thread_cache.h"
#include "allocator/isolated/rest_key.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"

using namespace lockfast::internal;
namespace platform = lockfast::platform;
namespace simulated = lockfast::simulated;

namespace {

template <class Choose>
void promise_own_choices(Choose choose) {
  simulated::set_generator(false);
  const ending one = in_child(choose);
  const ending other = in_child(choose);
  promised(one.clean() && other.clean() && !one.text.empty(), "both chose");
  promised(one.text != other.text, "each by itself");
}

void say_address(const void* secret) {
  prove(secret != nullptr, "a secret");
  say((std::to_string(reinterpret_cast<std::uintptr_t>(secret)) + ' ').c_str());
}

}  // namespace

TEST_CASE("children choose places of isolated secrets by themselves") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "freed=recycle"), "the variable");
    const auto use_many = [] {
      std::vector<void*> all;
      for (int count = 0; count < 100; ++count) all.push_back(lockfast_malloc_isolated(32));
      for (void* const each : all) lockfast_free(each);
    };
    use_many();
    lockfast_free(lockfast_malloc_isolated(32));  // of many places: the choices have a seed from here on
    promise_own_choices([&] {
      use_many();
      for (int count = 0; count < 20; ++count) say_address(lockfast_malloc_isolated(32));
    });
  }));
}

TEST_CASE("children choose slots by themselves, in a slab and in a thread's cache") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "fork=inherit"), "the variable");
    lockfast_compartment* const keys = lockfast_compartment_create();
    prove(keys != nullptr && lockfast_compartment_malloc(keys, 32) != nullptr, "a slab");
    promise_own_choices([&] {
      for (int count = 0; count < 20; ++count) say_address(lockfast_compartment_malloc(keys, 32));
    });
  }));
  check_clean(in_child([] {
    prove(keep_seed() == 0, "a seed");
    thread_cache one;
    (void)one.random.word();
    promise_own_choices([&] {
      one.forget_in_child();
      say(std::to_string(one.random.word()).c_str());
    });
  }));
}

TEST_CASE("a child seals under a key of its own, beside its parent's") {
  check_clean(in_child([] {
    rest_key key;
    key.prepare(platform::fork_policy::inherit, EPERM);
    sealed_record* const record = sealed_record::take(32);
    const std::byte plain[32] = {std::byte{'x'}};
    const rest_key::bond bond = {1, 32, 1};
    prove(record != nullptr && key.seal(bond, plain, 32, *record) == 0, "a sealed secret");
    const auto key_number = [&] { return record->number >> 56; };
    const auto of_parent = key_number();
    const ending child = in_child([&] {
      prove(key.settle_in_child(), "an inherited page");
      promised(key.verify(bond, *record, 32) == rest_key::outcome::opened, "the parent's key is there");
      promised(key.seal(bond, plain, 32, *record) == 0 && key_number() != of_parent, "another key");
    });
    promised(child.clean(), "what the child was promised");
    promised(key.seal(bond, plain, 32, *record) == 0 && key_number() == of_parent, "the parent goes on with its own");
  }));
}
