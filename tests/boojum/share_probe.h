// share_probe.h - the tests' look at the shares of a split secret, which nothing else may have.
#ifndef LOCKFAST_TESTS_BOOJUM_SHARE_PROBE_H
#define LOCKFAST_TESTS_BOOJUM_SHARE_PROBE_H

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "boojum/split/file_share.h"
#include "boojum/split/split_secret.h"

namespace lockfast::internal {

class share_probe {
 public:
  // Calls look(bytes) for each share, in their order.
  static void each(split_secret& of, const std::function<void(std::span<const std::byte>)>& look) {
    const std::scoped_lock held(of.mutex_);
    for (std::size_t which = 0; which < of.shares_.size(); ++which) {
      const bool last = which + 1 == of.shares_.size();
      std::vector<std::byte> room(file_share::room_for(last ? of.size_ + mac_key_size + mac_size : of.options_.prekey));
      const auto bytes = of.shares_[which]->open(purpose::reading, room);
      REQUIRE(bytes);
      look(*bytes);
      of.shares_[which]->close();
      lockfast_wipe(room.data(), room.size());
    }
  }

  static std::vector<std::vector<std::byte>> copies(split_secret& of) {
    std::vector<std::vector<std::byte>> all;
    each(of, [&](std::span<const std::byte> bytes) { all.emplace_back(bytes.begin(), bytes.end()); });
    return all;
  }

  // The addresses of those in RAM.
  static std::vector<std::uintptr_t> addresses(split_secret& of) {
    std::vector<std::uintptr_t> all;
    each(of, [&](std::span<const std::byte> bytes) {
      if (lockfast_size(bytes.data()) != 0) all.push_back(reinterpret_cast<std::uintptr_t>(bytes.data()));
    });
    return all;
  }
};

}  // namespace lockfast::internal

#endif
