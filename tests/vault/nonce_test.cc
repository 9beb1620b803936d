// nonce_test.cc - no two nonces are the same, whichever thread or process draws them.
#include "boojum/nonce.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

using lockfast::internal::fresh_nonce;
using lockfast::internal::nonce;

TEST_CASE("threads never draw the same nonce") {
  constexpr std::size_t count = 5000;
  std::array<std::vector<nonce>, 4> drawn;
  std::vector<std::thread> threads;
  for (std::vector<nonce>& mine : drawn) {
    threads.emplace_back([&mine] {
      for (std::size_t at = 0; at < count; ++at) mine.push_back(fresh_nonce());
    });
  }
  for (std::thread& each : threads) each.join();
  std::set<nonce> all;
  for (const std::vector<nonce>& mine : drawn) all.insert(mine.begin(), mine.end());
  CHECK(all.size() == drawn.size() * count);
}

TEST_CASE("a forked child never draws its parent's nonce") {
  constexpr std::size_t count = 1000;
  std::set<nonce> all = {fresh_nonce()};
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  std::vector<nonce> mine(count);
  for (nonce& each : mine) each = fresh_nonce();
  if (child == 0) {
    const auto size = static_cast<ssize_t>(count * sizeof(nonce));
    _exit(write(ends[1], mine.data(), count * sizeof(nonce)) == size ? 0 : 1);
  }
  close(ends[1]);
  std::vector<nonce> childs(count);
  std::size_t size = 0;
  while (size < count * sizeof(nonce)) {
    const ssize_t part = read(ends[0], reinterpret_cast<std::byte*>(childs.data()) + size, count * sizeof(nonce) - size);
    REQUIRE(part > 0);
    size += static_cast<std::size_t>(part);
  }
  close(ends[0]);
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  CHECK(state == 0);
  all.insert(mine.begin(), mine.end());
  all.insert(childs.begin(), childs.end());
  CHECK(all.size() == 1 + 2 * count);
}

TEST_CASE("every byte of a nonce varies") {
  std::array<std::set<std::byte>, lockfast::internal::nonce_size> seen;
  for (int round = 0; round < 1000; ++round) {
    const nonce drawn = fresh_nonce();
    for (std::size_t at = 0; at < drawn.size(); ++at) seen[at].insert(drawn[at]);
  }
  for (const auto& values : seen) CHECK(values.size() > 200);
}
