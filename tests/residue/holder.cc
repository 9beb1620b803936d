// holder.cc - a process of the machine that scripts/test-residue boots.
//
//    residue_holder hold SEED HOLDER DIRECTORY [ordinary]   holds secrets of every type and ordinary blocks, or those alone
//    residue_holder as ID WORD...   does that as that user and group, in a program started afresh
//
// A holder reads words on standard input and answers each by a line on standard output, when it is done:
//
//    open    makes the secrets and leaves each in use: open, or in a buffer or a view that is open
//    close   ends every use
//    fork    starts a child, which reads every secret that it was given, closes what it opened itself, and waits
//    child   lets the child exit
//    free    frees all
//    exit    ends the process as it is, by exit
//    crash   ends it by a signal
//
// The bytes of a secret are computed one by one and written where the secret lies (pattern.h).
#include <lockfast/boojum.hpp>
#include <lockfast/lockfast.h>
#include <lockfast/lockfast.hpp>
#include <lockfast/passphrase.hpp>
#include <lockfast/secret_input.hpp>
#include <lockfast/vault.hpp>
#include <sys/wait.h>
#include <unistd.h>

#if defined(HAVE_LIBSODIUM)
#include <sodium.h>
#endif

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "residue/pattern.h"

namespace {

using namespace residue;
using lockfast::buffer;
using bytes = buffer<std::byte>;

constexpr std::size_t block_size = 3 * 4096;  // of an ordinary block; one secret in each, so that no page has two
constexpr unsigned cheap = 10;                // log2 of scrypt's N
constexpr std::size_t prekey = 256;  // bytes; and a pause between two rounds of the refresher: the processor is emulated
constexpr std::chrono::seconds pause{5};

std::uint64_t seed;
unsigned number;
std::string directory;

[[noreturn]] void fail(const std::string& what) {
  std::printf("%s failed\n", what.c_str());
  std::fflush(stdout);
  _exit(3);
}

void require(bool done, const char* what) {
  if (!done) fail(what);
}

template <class Value, class Error>
Value value_of(std::expected<Value, Error> from, const char* what) {
  if (!from) fail(std::string(what) + ", error " + std::to_string(static_cast<int>(from.error())) + ":");
  return std::move(*from);
}

// ---- Patterns ----

void write_pattern(void* at, unsigned type, unsigned secret) {
  auto* const to = static_cast<volatile unsigned char*>(at);
  for (std::size_t next = 0; next < pattern_size; ++next) to[next] = pattern_byte(seed, number, type, secret, next);
}

bool is_pattern(const void* at, unsigned type, unsigned secret) {
  const auto* const from = static_cast<const volatile unsigned char*>(at);
  for (std::size_t next = 0; next < pattern_size; ++next) {
    if (from[next] != pattern_byte(seed, number, type, secret, next)) return false;
  }
  return true;
}

void verify(const void* at, unsigned type, unsigned secret) { require(is_pattern(at, type, secret), type_name[type]); }

bytes pattern_buffer(unsigned type, unsigned secret) {
  return value_of(bytes::filled(pattern_size, [&](std::span<std::byte> to) { write_pattern(to.data(), type, secret); }),
                  "buffer");
}

// ---- What is held ----

// Buffers that were unlocked, and what opens them.
struct uses {
  std::vector<bytes> copies;
  std::vector<bytes::read_view> open;
  std::vector<lockfast::vault::view> records;

  void add(bytes copy, unsigned type, unsigned secret) {
    verify(copy.read().data(), type, secret);
    copies.push_back(std::move(copy));
  }
  void open_all() {
    for (const bytes& copy : copies) open.push_back(copy.read());
  }
};

struct secrets {
  std::vector<void*> blocks[type_count];  // of the types that are pointers
  lockfast_compartment* room = nullptr;
  std::vector<lockfast::ram_memory> ram_held;
  std::vector<lockfast::non_contiguous_memory> split_held;
  std::vector<lockfast::non_contiguous_memory> split_file_held;
  std::vector<lockfast::file_memory> file_held;
  std::vector<lockfast::passphrase> phrases;
  std::vector<bytes> piped_held;
  std::optional<lockfast::vault> vaults[type_count];
  std::vector<lockfast::vault::id> ids[type_count];
};

secrets* held = nullptr;  // never destroyed but by free
bool ordinary_alone = false;

template <class Allocate>
void make_blocks(unsigned type, Allocate allocate) {
  for (unsigned secret = 0; secret < pattern_count; ++secret) {
    void* const one = allocate();
    require(one != nullptr, type_name[type]);
    write_pattern(one, type, secret);
    held->blocks[type].push_back(one);
  }
}

void make_vault(unsigned type, std::size_t hot_records) {
  lockfast::vault::options chosen;
  chosen.hot_records = hot_records;
  auto& made = held->vaults[type].emplace(chosen);
  for (unsigned secret = 0; secret < pattern_count; ++secret) {
    held->ids[type].push_back(value_of(made.insert(pattern_buffer(type, secret)), type_name[type]));
  }
}

// A secret that comes through a pipe, from a secret that is freed. Its end stays open, as a program's standard
// input does.
bytes read_from_pipe(unsigned secret) {
  int ends[2];
  void* const one = lockfast_malloc(pattern_size);
  require(pipe(ends) == 0 && one != nullptr, "pipe");
  write_pattern(one, piped, secret);
  require(write(ends[1], one, pattern_size) == static_cast<ssize_t>(pattern_size), "write");
  lockfast_free(one);
  (void)close(ends[1]);
  return value_of(lockfast::secret_input::read(ends[0]), "secret_input");
}

// A vault that was saved under one of the passphrases, and loaded.
void save_and_load() {
  const std::string path = directory + "/vault." + std::to_string(number);
  make_vault(saved, 0);
  lockfast::vault::save_options cost;
  cost.cost = cheap;
  require(held->vaults[saved]->save(path, held->phrases.front(), cost).has_value(), "save");
  lockfast::vault::load_options loading;
  loading.vault.hot_records = 0;
  held->vaults[saved] = value_of(lockfast::vault::load(path, held->phrases.front(), loading), "load");
}

void make() {
  held = new secrets;
  make_blocks(plain, [] { return std::calloc(1, block_size); });
  if (ordinary_alone) {
#if defined(HAVE_LIBSODIUM)
    require(sodium_init() >= 0, "sodium_init");
    make_blocks(sodium, [] { return sodium_malloc(pattern_size); });
#endif
    return;
  }
  lockfast::refresher::period(pause);
  make_blocks(isolated, [] { return lockfast_malloc_isolated(pattern_size); });
  make_blocks(grouped, [] { return lockfast_malloc(pattern_size); });
  held->room = lockfast_compartment_create();
  make_blocks(compartment, [] { return lockfast_compartment_malloc(held->room, pattern_size); });
  const auto here = lockfast::share_place::ram;
  for (unsigned secret = 0; secret < pattern_count; ++secret) {
    held->ram_held.push_back(value_of(lockfast::ram_memory::create(pattern_buffer(ram, secret)), "ram"));
    held->split_held.push_back(value_of(
        lockfast::non_contiguous_memory::create(pattern_buffer(split, secret), {.shares = {here, here}, .prekey = prekey}),
        "split"));
    held->split_file_held.push_back(
        value_of(lockfast::non_contiguous_memory::create(
                     pattern_buffer(split_file, secret),
                     {.shares = {here, lockfast::share_place::file}, .prekey = prekey, .directory = directory + "/shares"}),
                 "split_file"));
    held->file_held.push_back(value_of(
        lockfast::file_memory::create(pattern_buffer(file, secret), {.directory = directory + "/shares", .prekey = prekey}),
        "file"));
    held->phrases.push_back(
        value_of(lockfast::passphrase::take(pattern_buffer(phrase, secret), {.prekey = prekey}), "passphrase"));
    held->piped_held.push_back(read_from_pipe(secret));
  }
  make_vault(record, 0);
  make_vault(cached, pattern_count);
  save_and_load();
}

// The backing of an isolated secret and where it is, for the script to compare with what it asked for.
std::string facts() {
  if (ordinary_alone) return "ordinary";
  lockfast_receipt receipt;
  require(lockfast_describe(held->blocks[isolated].front(), &receipt) == 0, "describe");
  const char* const backings[] = {"hidden", "locked", "unlocked"};
  const char* const rests[] = {"open", "closed", "sealed"};
  return std::string(backings[receipt.backing]) + " " + rests[receipt.rest];
}

void protect_all(lockfast_access access) {
  if (ordinary_alone) return;
  for (void* one : held->blocks[isolated]) require(lockfast_protect(one, access) == 0, "protect");
  require(lockfast_compartment_protect(held->room, access) == 0, "compartment_protect");
}

void verify_blocks() {
  for (unsigned type = 0; type < type_count; ++type) {
    for (unsigned secret = 0; secret < held->blocks[type].size(); ++secret) verify(held->blocks[type][secret], type, secret);
  }
}

// Opens a use of each secret of the types that are not pointers, but of those with files only if asked.
void use_all(uses& in, bool files) {
  for (unsigned secret = 0; secret < held->ram_held.size(); ++secret) {
    in.add(value_of(held->ram_held[secret].unlock(), "ram"), ram, secret);
    in.add(value_of(held->split_held[secret].unlock(), "split"), split, secret);
    if (files) in.add(value_of(held->split_file_held[secret].unlock(), "split_file"), split_file, secret);
    if (files) in.add(value_of(held->file_held[secret].unlock(), "file"), file, secret);
  }
  in.open_all();
  for (unsigned secret = 0; secret < held->piped_held.size(); ++secret) {
    in.open.push_back(held->piped_held[secret].read());
    verify(in.open.back().data(), piped, secret);
  }
  for (const unsigned type : {record, cached, saved}) {
    for (unsigned secret = 0; secret < held->ids[type].size(); ++secret) {
      in.records.push_back(value_of(held->vaults[type]->open(held->ids[type][secret]), type_name[type]));
      verify(in.records.back().data(), type, secret);
    }
  }
}

// Runs a function while the passphrases from the nth on are in use.
void within_phrases(std::size_t nth, const std::function<void()>& run) {
  if (nth == held->phrases.size()) return run();
  const auto done = held->phrases[nth].use([&](std::span<const std::byte> whole) {
    verify(whole.data(), phrase, static_cast<unsigned>(nth));
    within_phrases(nth + 1, run);
  });
  require(done.has_value(), "passphrase");
}

void free_all() {
  for (void* one : held->blocks[plain]) std::free(one);
#if defined(HAVE_LIBSODIUM)
  for (void* one : held->blocks[sodium]) sodium_free(one);
#endif
  for (const unsigned type : {isolated, grouped}) {
    for (void* one : held->blocks[type]) lockfast_free(one);
  }
  lockfast_compartment_destroy(held->room);
  delete held;
  held = nullptr;
}

// ---- The child ----

int child_waits = -1;
pid_t child = -1;

std::string start_child() {
  int ends[2];
  int ready[2];
  require(pipe(ends) == 0 && pipe(ready) == 0, "pipe");
  child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    (void)close(ends[1]);
    verify_blocks();
    {
      uses in;
      use_all(in, false);
    }
    char byte = 'r';
    require(write(ready[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 0, "child");
    std::exit(0);
  }
  (void)close(ends[0]);
  (void)close(ready[1]);
  child_waits = ends[1];
  char byte = 0;
  require(read(ready[0], &byte, 1) == 1, "child");
  (void)close(ready[0]);
  return "forked";
}

std::string end_child() {
  int status = 0;
  (void)close(child_waits);
  require(waitpid(child, &status, 0) == child && status == 0, "child's end");
  return "ended";
}

// ---- Words ----

void answer(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

std::string next_word() {
  std::string word;
  char letter = 0;
  while (read(0, &letter, 1) == 1 && letter != '\n') word += letter;
  return word;
}

// Does what the words say until one ends the process, or is the given one.
void serve(std::string_view until) {
  for (std::string word = next_word(); word != until; word = next_word()) {
    if (word == "open") {
      if (held == nullptr) make();
      protect_all(LOCKFAST_READWRITE);
      verify_blocks();
      within_phrases(0, [&] {
        uses in;
        use_all(in, true);
        answer(facts());
        serve("close");
      });
      protect_all(LOCKFAST_NOACCESS);
      answer(facts());
    } else if (word == "fork") {
      answer(start_child());
    } else if (word == "child") {
      answer(end_child());
    } else if (word == "free") {
      free_all();
      answer("freed");
    } else if (word == "exit") {
      std::exit(0);
    } else if (word == "crash") {
      std::abort();
    } else {
      fail("the word '" + word + "'");
    }
  }
}

// A program that changed its user is not dumped; one that was started by that user is.
int become(char** argv) {
  const auto user = static_cast<uid_t>(std::strtoul(argv[2], nullptr, 10));
  if (setgid(user) != 0 || setuid(user) != 0) return 3;
  argv[2] = argv[0];
  execv(argv[0], argv + 2);
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "as" && argc > 3) return become(argv);
  if (what != "hold" || argc < 5) return 2;
  seed = std::strtoull(argv[2], nullptr, 10);
  number = static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10));
  directory = argv[4];
  ordinary_alone = argc > 5;
  serve("close");
  return 0;
}
