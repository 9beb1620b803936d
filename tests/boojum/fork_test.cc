// fork_test.cc - what a forked child has of its parent's secrets, under each fork policy, and its own refresher.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "boojum/places.h"
#include "boojum/rest_probe.h"
#include "boojum/memory/fork.h"
#include "boojum/memory/scratch.h"
#include "support/child.h"

using namespace lockfast;
using namespace std::chrono_literals;

namespace {

// The process of a scenario must not have used Lockfast before: policies are chosen once.
void choose(lockfast_fork policy) {
  lockfast_options options = {};
  options.fork = policy;
  prove(lockfast_configure(&options) == 0, "a fork policy");
}

struct family {
  buffer<std::byte> value = std::move(*buffer<std::byte>::random(32));
  own_directory files;
  std::expected<non_contiguous_memory, memory_error> in_ram = non_contiguous_memory::create(*value.copy(), {.prekey = 32});
  std::expected<non_contiguous_memory, memory_error> mixed = non_contiguous_memory::create(
      *value.copy(), {.shares = {share_place::file, share_place::ram}, .prekey = 32, .directory = files.path()});
  std::expected<file_memory, memory_error> sealed =
      file_memory::create(*value.copy(), {.directory = files.path(), .prekey = 32});
  std::expected<ram_memory, memory_error> plain = ram_memory::create(*value.copy());

  void prove_whole() const {
    prove(in_ram && mixed && sealed && plain, "one of each");
    promised(*in_ram->unlock() == value && *mixed->unlock() == value && *sealed->unlock() == value && *plain->unlock() == value,
             "the parent's secrets are whole");
  }
};

// Runs a body in a child and gives back whether it left well; the scenario is a child already.
void promised_in_child(const std::function<void()>& body) {
  const auto end = in_child(body);
  promised(end.clean(), end.text.c_str());
}

template <class Memory>
bool gives(const Memory& held, memory_error error) {
  const auto whole = held->unlock();
  return !whole && whole.error() == error;
}

const scenario absent("fork absent", [] {
  choose(LOCKFAST_FORK_ABSENT);
  family all;
  all.prove_whole();
  promised_in_child([&] {
    promised(gives(all.in_ram, memory_error::unavailable), "a split secret is unavailable");
    promised(gives(all.mixed, memory_error::unavailable), "one with a file is unavailable");
    promised(gives(all.sealed, memory_error::unavailable), "a sealed file is unavailable");
    promised(gives(all.plain, memory_error::unavailable), "a secret in RAM is unavailable");
    const auto refreshed = all.mixed->refresh(refresh_target::change);
    promised(!refreshed && refreshed.error() == memory_error::unavailable, "a refresh is refused");
    promised(!all.in_ram->copy(), "a copy is refused");
    // The child's ends do not reach the parent's files.
    (void)all.mixed->wipe();
    (void)all.sealed->wipe();
    (void)all.in_ram->wipe();
  });
  all.prove_whole();
});

// A passphrase that is used in a child, and what the child says of it before.
std::expected<std::size_t, memory_error> used_where_available(const passphrase& phrase, bool available) {
  promised(phrase.available() == available, available ? "a passphrase is available" : "a passphrase is not available");
  return phrase.use([](std::span<const std::byte> bytes) { return bytes.size(); });
}

const scenario absent_passphrase("passphrase fork absent", [] {
  choose(LOCKFAST_FORK_ABSENT);
  std::string typed = "brief";
  const auto phrase = passphrase::take(std::span<char>(typed));
  prove(phrase.has_value(), "a passphrase");
  promised_in_child([&] {
    const auto used = used_where_available(*phrase, false);
    promised(!used && used.error() == memory_error::unavailable, "nor used");
  });
  promised(used_where_available(*phrase, true) == std::size_t{5}, "it is the parent's");
});

const scenario inherited_passphrase("passphrase fork inherit", [] {
  choose(LOCKFAST_FORK_INHERIT);
  std::string typed = "brief";
  const auto phrase = passphrase::take(std::span<char>(typed));
  prove(phrase.has_value(), "a passphrase");
  promised_in_child([&] { promised(used_where_available(*phrase, true) == std::size_t{5}, "and can be used"); });
});

const scenario inherit("fork inherit", [] {
  choose(LOCKFAST_FORK_INHERIT);
  family all;
  all.prove_whole();
  promised_in_child([&] {
    promised(*all.in_ram->unlock() == all.value && *all.plain->unlock() == all.value, "what is in RAM is the child's own copy");
    promised(all.in_ram->refresh().has_value() && *all.in_ram->unlock() == all.value, "and it is mixed by itself");
    promised(gives(all.mixed, memory_error::unavailable), "one with a file is unavailable");
    promised(gives(all.sealed, memory_error::unavailable), "a sealed file is unavailable");
    (void)all.mixed->wipe();
  });
  all.prove_whole();
});

const scenario wiped("fork wipe", [] {
  choose(LOCKFAST_FORK_WIPE);
  family all;
  all.prove_whole();
  promised_in_child([&] {
    promised(gives(all.in_ram, memory_error::damaged), "shares of zeros are damage, not a secret");
    promised(gives(all.mixed, memory_error::unavailable), "one with a file is unavailable");
  });
  all.prove_whole();
});

const scenario threads("fork and refresher", [] {
  refresher::period(1ms);
  const auto held = non_contiguous_memory::create(*buffer<std::byte>::random(32), {.prekey = 32});
  prove(held && refresher::running(), "a refresher");
  promised_in_child([&] {
    promised(!refresher::running(), "a child has no refresher");
    promised(refresher::rounds() == 0, "and had no rounds");
    const auto own = non_contiguous_memory::create(*buffer<std::byte>::random(32), {.prekey = 32});
    promised(refresher::running(), "it starts at the first secret of the child's own");
    for (int wait = 0; wait < 5000 && refresher::rounds() < 3; ++wait) std::this_thread::sleep_for(1ms);
    promised(refresher::rounds() >= 3, "and goes its rounds");
    promised(own->unlock().has_value(), "the child's own secret is whole");
    refresher::stop();
    promised(!refresher::running(), "it stops");
  });
  promised(refresher::running(), "the parent's goes on");
  const auto before = refresher::rounds();
  for (int wait = 0; wait < 5000 && refresher::rounds() < before + 3; ++wait) std::this_thread::sleep_for(1ms);
  promised(refresher::rounds() >= before + 3, "in rounds");
});

const scenario moving("fork beside a change of address", [] {
  const own_directory files;
  internal::signal_once forking;
  const auto probe = internal::rest_probe::join([] {},
                                                [&] {
                                                  if (forking.given()) return;
                                                  forking.give();
                                                  std::this_thread::sleep_for(50ms);
                                                });
  const auto held = non_contiguous_memory::create(
      *buffer<std::byte>::random(32), {.shares = {share_place::ram, share_place::file}, .prekey = 32, .directory = files.path()});
  prove(probe != nullptr && held.has_value(), "a secret with a file");
  std::thread other([&] {
    forking.wait();
    promised(held->refresh(refresh_target::change).has_value(), "it moves");
  });
  promised_in_child([] {});
  other.join();
});

const scenario opening("fork while a directory is opened", [] {
  const own_directory files;
  prove(file_memory::create(*buffer<std::byte>::random(8), {.directory = files.path(), .prekey = 32}).has_value(), "a file");
  internal::signal_once busy;
  std::thread other([&] {
    const std::scoped_lock held(internal::directories_mutex());
    busy.give();
    std::this_thread::sleep_for(50ms);
  });
  busy.wait();
  promised_in_child([&] {
    const own_directory own;
    promised(file_memory::create(*buffer<std::byte>::random(8), {.directory = own.path(), .prekey = 32}).has_value(),
             "the child has files of its own");
  });
  other.join();
});

const scenario view_at_absent_fork("a view at a fork absent", [] {
  choose(LOCKFAST_FORK_ABSENT);
  for (const bool asks : {false, true}) {
    promised_in_child([&] {
      const auto secret = buffer<std::byte>::random(32);
      // As in a program that forks within the view's scope, and whose child leaves it.
      std::optional<buffer<std::byte>::read_view> view = secret->read();
      const pid_t child = fork();
      prove(child >= 0, "a child");
      if (child == 0) {
        if (asks) {
          const auto again = secret->try_read();
          promised(!again && again.error() == memory_error::unavailable, "the child is told that the secret is not there");
        }
        view.reset();
        _exit(0);
      }
      int status = 0;
      prove(waitpid(child, &status, 0) == child, "the child's end");
      promised(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child leaves the view");
      promised(view->size() == 32 && secret->try_read().has_value(), "the parent's view stays");
    });
  }
});

const scenario view_at_inheriting_fork("views at a fork inherit", [] {
  choose(LOCKFAST_FORK_INHERIT);
  auto value = buffer<std::byte>::random(32);
  // A reader that stays, and that the child does not have.
  internal::signal_once open;
  internal::signal_once ended;
  std::thread reader([&] {
    const auto view = value->read();
    open.give();
    ended.wait();
  });
  open.wait();
  promised_in_child([&] {
    promised(value->try_write().has_value(), "a thread that is not there is no obstacle");
    promised(value->try_read().has_value(), "for a reader either");
    {
      const auto gone = std::move(*value);
    }
  });
  promised(value->try_write().error() == memory_error::busy, "the parent still counts it");
  ended.give();
  reader.join();
  promised(value->try_write().has_value(), "until it goes");

  // The view of the thread that forks is good in the child.
  std::optional<buffer<std::byte>::read_view> own = value->read();
  promised_in_child([&] {
    const std::byte first = (*own)[0];
    own.reset();
    promised((*value->try_read())[0] == first, "the child closes it and opens its own");
    promised(value->try_write().has_value(), "nothing is counted any more");
  });
});

// No moment of opening or closing in one thread stops the child of another.
const scenario opening_and_forking("fork beside views", [] {
  choose(LOCKFAST_FORK_INHERIT);
  const auto value = buffer<std::byte>::random(32);
  const auto same = value->copy();
  std::atomic<bool> ended = false;
  std::thread other([&] {
    while (!ended) (void)value->try_read();
  });
  for (int round = 0; round < (under_sanitizer ? 10 : 60); ++round) {
    promised_in_child([&] {
      const auto view = value->try_read();
      promised(view.has_value(), "the child opens its copy");
      const auto expected = same->try_read();
      promised(expected && std::ranges::equal(*view, *expected), "and finds the secret");
    });
  }
  ended = true;
  other.join();
});

const scenario scratches("scratches at a fork", [] {
  choose(LOCKFAST_FORK_INHERIT);
  internal::signal_once made;
  internal::signal_once ended;
  const std::byte* bytes = nullptr;
  std::thread other([&] {
    const internal::scratch room(100);
    std::ranges::fill(room.bytes(), std::byte{'x'});
    bytes = room.data();
    made.give();
    ended.wait();
  });
  made.wait();
  promised_in_child([&] { promised(std::count(bytes, bytes + 100, std::byte{0}) == 100, "wiped in the child"); });
  promised(std::count(bytes, bytes + 100, std::byte{'x'}) == 100, "the thread's as it was");
  ended.give();
  other.join();
});

void check(const scenario& one) {
  const auto end = one.run();
  CAPTURE(end.text);
  CHECK(end.clean());
}

}  // namespace

TEST_CASE("under fork=absent a child gets an error for every secret of its parent, and reaches none of its files") {
  check(absent);
}
TEST_CASE("under fork=inherit a child has its own copy of what is in RAM, and reaches no file of its parent") {
  check(inherit);
}
TEST_CASE("a passphrase is available in a child that has a copy of it, and not in one that has none") {
  check(absent_passphrase);
  check(inherited_passphrase);
}
TEST_CASE("under fork=wipe a child finds damage, never a wrong secret") { check(wiped); }
TEST_CASE("a child has a refresher of its own, from its first secret on") { check(threads); }
TEST_CASE("a fork and a secret that moves do not wait for each other") { check(moving); }
TEST_CASE("a fork waits until a directory is open, so that a child may open others") { check(opening); }
TEST_CASE("a view that is open at a fork can be left in a child that has not the secret") { check(view_at_absent_fork); }
TEST_CASE("a child's copy is not held open by the views of threads that it does not have") { check(view_at_inheriting_fork); }
TEST_CASE("a child may open its copy whatever another thread did at the fork") { check(opening_and_forking); }

TEST_CASE("what a thread was working with is wiped in a child that has not the thread") { check(scratches); }
