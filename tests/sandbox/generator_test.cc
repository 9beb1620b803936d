// generator_test.cc - Boojum's types in a process that has lost the system's generator: what needs new random bytes is refused, and no
// secret that is there is lost.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <lockfast/error_detail.hpp>
#include <lockfast/lockfast.hpp>
#include <span>
#include <string>

#include "filter.h"
#include "own_directory.h"
#include "support/check.h"
#include "support/child.h"

namespace {

using namespace lockfast;

// Neither getrandom nor a file that would be opened: what /dev/urandom is to a process in a jail.
bool lose_generator() {
  const std::array<long, 3> calls = {SYS_getrandom, SYS_openat, SYS_open};
  return filter_calls(calls, verdict::refuse(EPERM), verdict::allow());
}

buffer<std::byte> secret_of(char value, std::size_t size = 100) {
  auto made = buffer<std::byte>::filled(size, [&](std::span<std::byte> bytes) { std::memset(bytes.data(), value, bytes.size()); });
  prove(made.has_value(), "a buffer");
  return std::move(*made);
}

template <class Bytes>
void holds(const Bytes& bytes, char value) {
  promised(std::ranges::all_of(bytes, [=](std::byte each) { return each == static_cast<std::byte>(value); }), "its bytes");
}

template <class Held>
void unlocks(const Held& held, char value) {
  // More than once: with new shares each time, where there are any to be had.
  for (int round = 0; round < 3; ++round) {
    const auto back = held.unlock();
    promised(back.has_value(), "unlocked");
    const auto view = back->read();
    holds(view.span(), value);
  }
}

template <class Result>
void refused_for_random(const Result& result, const char* what) {
  promised(!result.has_value() && result.error() == memory_error::denied, what);
  promised(std::strstr(last_error().text(), "random bytes") != nullptr, "the detail");
}

}  // namespace

TEST_CASE("no secret is lost to a process that loses its generator, and what needs random bytes is refused") {
  const own_directory own;
  check_clean(in_child([&] {
    auto in_ram = ram_memory::create(secret_of('r'));
    auto in_file = file_memory::create(secret_of('f'), {.directory = own.path()});
    auto split = non_contiguous_memory::create(secret_of('s'));
    auto filed = non_contiguous_memory::create(secret_of('m'), {.shares = {share_place::ram, share_place::file},
                                                                .directory = own.path()});
    auto short_one = non_contiguous_memory::create(secret_of('k', 16), {.prekey = 32});
    char typed[] = "open sesame";
    auto phrase = passphrase::take(std::span<char>(typed));
    vault records;
    const auto id = records.insert(secret_of('v'));
    prove(in_ram && in_file && split && filed && short_one && phrase && id, "secrets of every type");
    prove(lose_generator(), "the filter");

    unlocks(*in_ram, 'r');
    unlocks(*in_file, 'f');
    unlocks(*split, 's');
    unlocks(*filed, 'm');
    unlocks(*short_one, 'k');
    phrase->use([](std::span<const std::byte> bytes) { promised(bytes.size() == sizeof "open sesame", "the passphrase"); });
    {
      const auto view = records.open(*id);
      promised(view.has_value(), "a record");
      holds(view->span(), 'v');
    }

    refused_for_random(split->refresh(), "a re-mix");
    refused_for_random(short_one->refresh(), "a re-mix of few bytes");
    refused_for_random(split->copy(), "a copy");
    refused_for_random(non_contiguous_memory::create(secret_of('n')), "a new split secret");
    refused_for_random(records.insert(secret_of('n')), "a record");
    refused_for_random(records.replace(*id, secret_of('n')), "a record in another's place");
    refused_for_random(records.insert_random(32), "a random record");
    refused_for_random(records.rekey(), "a new key");
    refused_for_random(records.lock_with(*phrase, {.cost = 10}), "a lock");
    refused_for_random(records.save((own.path() / "records").string(), *phrase, {.cost = 10}), "a file");
    char again[] = "another";
    refused_for_random(passphrase::take(std::span<char>(again)), "a passphrase");
    promised(std::strcmp(again, "another") == 0, "whose source is as it was");
    refused_for_random(std::move(*split).update(secret_of('n')), "an update");
    vault later;
    refused_for_random(later.insert(secret_of('n')), "a later vault");

    unlocks(*split, 's');
    unlocks(*filed, 'm');
    const auto view = records.open(*id);
    promised(view.has_value(), "the record still");
    holds(view->span(), 'v');
  }));
}
