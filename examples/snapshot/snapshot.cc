// snapshot.cc - holds a passphrase split for as long as it runs, and writes a sealed snapshot of its state every second.
//
//    snapshot FILE [SAVES [PAUSE [COST]]]     SAVES: 0 for ever;  PAUSE: milliseconds;  COST: log2 of scrypt's N
//
// The passphrase is the first line of standard input. The state is a counter that goes up by one before each save, so that it
// shows what a crash has lost. A save takes the place of the file at once, when it is whole and on the disk; the file before it
// stays as FILE.previous, for the day on which FILE is damaged. Leaves with 2 for a wrong passphrase, and touches nothing then.
#include <lockfast/lockfast.hpp>

#include <unistd.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

namespace {

using lockfast::buffer;
using lockfast::memory_error;
using lockfast::passphrase;
using lockfast::vault;

int fail(const char* what, memory_error why, int status = 1) {
  std::fprintf(stderr, "snapshot: %s: %s\n", what, lockfast::message(why).data());
  return status;
}

// The line goes from the descriptor into locked memory: no stream has a copy of it.
std::expected<passphrase, memory_error> read_passphrase() {
  lockfast::vector<char> typed(1024);
  std::size_t size = 0;
  while (size < typed.size() && read(STDIN_FILENO, &typed[size], 1) == 1 && typed[size] != '\n') ++size;
  return passphrase::take(std::span(typed).first(size));
}

// The state, as it is sealed: one record.
class state {
 public:
  static std::expected<state, memory_error> fresh() {
    state made;
    auto id = made.records_.insert(counter_of(0));
    if (!id) return std::unexpected(id.error());
    made.id_ = *id;
    return made;
  }

  static std::expected<state, memory_error> load(const std::string& path, const passphrase& phrase) {
    auto records = vault::load(path, phrase);
    if (!records) return std::unexpected(records.error());
    state made;
    made.records_ = std::move(*records);
    for (const vault::id id : made.records_.ids()) made.id_ = id;
    const auto view = made.records_.open(made.id_);
    if (!view || view->size() != sizeof made.counter_) return std::unexpected(memory_error::damaged);
    std::memcpy(&made.counter_, view->data(), sizeof made.counter_);
    return made;
  }

  std::uint64_t counter() const { return counter_; }

  std::expected<void, memory_error> count_and_save(const std::string& path, const passphrase& phrase, unsigned cost) {
    ++counter_;
    if (auto done = records_.replace(id_, counter_of(counter_)); !done) return done;
    // What is at the path was loaded, or is not whole: it makes room either way.
    return records_.save(path, phrase, {.cost = cost, .over = vault::replaces::any_file});
  }

 private:
  static buffer<std::byte> counter_of(std::uint64_t counter) {
    auto made = buffer<std::byte>::filled(sizeof counter,
                                          [&](std::span<std::byte> out) { std::memcpy(out.data(), &counter, sizeof counter); });
    if (!made) std::exit(fail("no memory", made.error()));
    return std::move(*made);
  }

  vault records_;
  vault::id id_;
  std::uint64_t counter_ = 0;
};

// Lets FILE.previous be what FILE is now; there is always a whole one of the two.
bool keep_previous(const std::string& path) {
  std::error_code refused;
  const std::string link = path + ".link";
  std::filesystem::remove(link, refused);
  std::filesystem::create_hard_link(path, link, refused);
  if (!refused) std::filesystem::rename(link, path + ".previous", refused);
  return !refused;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s FILE [SAVES [PAUSE [COST]]]\n", arguments[0]);
    return 1;
  }
  const std::string path = arguments[1];
  const auto number = [&](int which, unsigned long other) {
    return count > which ? std::strtoul(arguments[which], nullptr, 10) : other;
  };
  const unsigned long saves = number(2, 0);
  const std::chrono::milliseconds pause(number(3, 1000));
  const auto cost = static_cast<unsigned>(number(4, 15));

  const auto phrase = read_passphrase();
  if (!phrase) return fail("no passphrase", phrase.error());

  auto now = state::load(path, *phrase);
  bool file_is_whole = now.has_value();
  if (!now && now.error() != memory_error::wrong_passphrase) {
    const memory_error why = now.error();
    now = state::load(path + ".previous", *phrase);
    if (now) std::printf("%s is not whole: the one before it is used\n", path.c_str());
    if (!now && now.error() == memory_error::not_found && why == memory_error::not_found) now = state::fresh();
  }
  if (!now) return fail("the snapshot does not open", now.error(), now.error() == memory_error::wrong_passphrase ? 2 : 1);
  std::printf("loaded %llu\n", static_cast<unsigned long long>(now->counter()));
  std::fflush(stdout);

  for (unsigned long done = 0; saves == 0 || done < saves; ++done) {
    if (file_is_whole && !keep_previous(path)) return fail("the snapshot before it is not kept", memory_error::file_system);
    if (const auto saved = now->count_and_save(path, *phrase, cost); !saved) return fail("not saved", saved.error());
    file_is_whole = true;
    std::printf("saved %llu\n", static_cast<unsigned long long>(now->counter()));
    std::fflush(stdout);
    std::this_thread::sleep_for(pause);
  }
}
