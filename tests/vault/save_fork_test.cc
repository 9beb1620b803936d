// save_fork_test.cc - a program that forks in the middle of a save or a load: both sides live, and the child keeps nothing of
// its parent's file.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <lockfast/passphrase.hpp>

#include <csignal>
#include <cstdlib>
#include <string>

#include "support/child.h"
#include "support/patience.h"
#include "support/sanitized.h"
#include "vault/saving.h"

namespace {

// How a child left that did no more than return from a watcher: 0 where it was told that it has nothing of the save or load.
int status_of(pid_t child) {
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child) return -1;
  return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

lockfast::buffer<std::byte> made(std::uint64_t seed) {
  const traced secret(seed);
  auto out = lockfast::buffer<std::byte>::filled(secret.size(), [&](std::span<std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = secret[at];
  });
  prove(out.has_value(), "a secret");
  return std::move(*out);
}

void watcher_forks(const char* policy) {
  const char* const given = std::getenv("LOCKFAST_OPTIONS");
  const std::string all = given == nullptr || *given == '\0' ? policy : std::string(given) + "," + policy;
  prove(setenv("LOCKFAST_OPTIONS", all.c_str(), 1) == 0, "the variable");
  const own_folder folder;
  const std::string path = folder.file("records");
  std::string typed = "four words of mine";
  const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
  vault records;
  const auto id = records.insert(made(1));
  prove(phrase && id && records.save(path, *phrase, {.cost = 10}).has_value(), "a file");
  pid_t child = -1;
  const vault::watcher forks = [&](const vault::progress&) {
    child = fork();
    if (child == 0) alarm(patience(20));
    return true;
  };
  const auto saved = records.save(path, *phrase, {.cost = 10, .watch = forks});
  if (child == 0) _exit(!saved && saved.error() == memory_error::unavailable ? 0 : 1);
  promised(status_of(child) == 0, "a child that is told that the save is not its own");
  promised(saved.has_value(), "the parent's save");
  child = -1;
  const auto loaded = vault::load(path, *phrase, {.watch = forks});
  if (child == 0) _exit(!loaded && loaded.error() == memory_error::unavailable ? 0 : 1);
  promised(status_of(child) == 0, "a child that is told that the load is not its own");
  promised(loaded && loaded->use(*id, [](auto bytes) { return traced(1).equals(bytes); }) == true, "the parent's load");
  promised(entries_of(folder.path()) == 1, "nothing beside the file");
}

const scenario absent("a watcher forks, fork=absent", [] { watcher_forks("fork=absent"); });
const scenario wiped("a watcher forks, fork=wipe", [] { watcher_forks("fork=wipe"); });
const scenario inherited("a watcher forks, fork=inherit", [] { watcher_forks("fork=inherit"); });

}  // namespace

TEST_CASE("a child that returns from a watcher is told so, and its parent's save and load are done") {
  if (under_tsan) {
    MESSAGE("skipped: ThreadSanitizer follows no thread that holds 64 mutexes, which a save does");
    return;
  }
  for (const scenario* each : {&absent, &wiped, &inherited}) {
    const ending end = each->run();
    CAPTURE(end.text);
    CAPTURE(end.signal);
    CHECK(end.clean());
  }
}

TEST_CASE("a worker that was forked during a save does not keep the file of a saver that was killed") {
  const own_folder folder;
  const std::string path = folder.file("records");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t saver = fork();
  REQUIRE(saver >= 0);
  if (saver == 0) {
    vault_state records(vault::options{});
    const vault::watcher works = [&](const vault::progress&) {
      if (fork() == 0) {
        // It is told of by itself, so that its fork is over. Then it lives on with everything that it was given.
        const pid_t self = getpid();
        if (write(ends[1], &self, sizeof self) != static_cast<ssize_t>(sizeof self)) _exit(1);
      }
      pause();
      return true;
    };
    (void)save_vault(records, path, work, key_from(), works);
    _exit(2);
  }
  pid_t worker = 0;
  REQUIRE(read(ends[0], &worker, sizeof worker) == static_cast<ssize_t>(sizeof worker));
  REQUIRE(kill(saver, SIGKILL) == 0);
  REQUIRE(waitpid(saver, nullptr, 0) == saver);
  vault_state records(vault::options{});
  const auto saved = save_vault(records, path, work, key_from(), nullptr);
  CHECK(kill(worker, SIGKILL) == 0);
  close(ends[0]);
  close(ends[1]);
  CHECK(saved.has_value());
  CHECK(entries_of(folder.path()) == 1);
}
