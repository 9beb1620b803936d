// boojum_bench.cc - what does a split secret cost, beside the same done with libsodium's allocator as Stronghold does it?
//
// Stronghold's runtime memory (github.com/iotaledger/stronghold.rs) holds 32 bytes in two shards. An unlock reads both, reads
// both again to mix them anew, makes two new ones and the buffer that it gives back: seven guarded allocations, each closed,
// opened once, closed and freed. A shard in a file is read by two changes of mode around it, written to a new file, and the old
// one is cut, overwritten and removed. The hashes of Stronghold are left out of its column, the re-mix of ours is counted.
#include <lockfast/boojum.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/medians.h"
#include "bench/processor.h"
#include "bench/subject.h"
#include "bench/table.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t sizes[] = {32, 4 * kibibyte, 1024 * kibibyte};

enum class operation : unsigned char { create, unlock, refresh, update };
constexpr struct {
  operation what;
  const char* name;
} operations[] = {{operation::create, "create and drop"},
                  {operation::unlock, "unlock"},
                  {operation::refresh, "refresh"},
                  {operation::update, "update"}};

std::string directory() { return (std::filesystem::temp_directory_path() / "lockfast-bench").string(); }

template <class Value>
Value must(std::expected<Value, memory_error> made) {
  if (!made) give_up(message(made.error()).data());
  return std::move(*made);
}

// ---- Ours -----------------------------------------------------------------------------------------------------------------

struct kind {
  std::string name;
  non_contiguous_memory::options options;
};

std::vector<kind> kinds() {
  using enum share_place;
  std::vector<kind> all;
  for (const std::size_t prekey : {std::size_t{32}, 16 * kibibyte}) {
    const std::string suffix = ", prekey " + size_class(prekey);
    all.push_back({"ram, ram" + suffix, {.shares = {ram, ram}, .prekey = prekey}});
    all.push_back({"ram, file" + suffix, {.shares = {ram, file}, .prekey = prekey, .directory = directory()}});
    all.push_back({"file, file" + suffix, {.shares = {file, file}, .prekey = prekey, .directory = directory()}});
  }
  return all;
}

std::size_t files_of(const kind& of) {
  std::size_t files = 0;
  for (const share_place each : of.options.shares) files += each == share_place::file;
  return files;
}

template <class Memory, class Options>
double time_of(operation what, std::size_t size, std::uint64_t count, const Options& options) {
  const auto value = must(buffer<std::byte>::random(size));
  std::optional<Memory> held = must(Memory::create(must(value.copy()), options));
  std::chrono::steady_clock::duration spent{};
  for (std::uint64_t each = 0; each < count; ++each) {
    // The value that is given away is not a part of what is measured.
    auto given =
        what == operation::create || what == operation::update ? must(value.copy()) : must(buffer<std::byte>::zeroed(1));
    const auto begin = std::chrono::steady_clock::now();
    switch (what) {
      case operation::create: (void)must(Memory::create(std::move(given), options)); break;
      case operation::unlock: (void)must(held->unlock()); break;
      case operation::refresh:
        if constexpr (requires { held->refresh(); }) {
          if (!held->refresh()) give_up("a refresh was refused");
        }
        break;
      case operation::update: held = must(std::move(*held).update(std::move(given))); break;
    }
    spent += std::chrono::steady_clock::now() - begin;
  }
  return std::chrono::duration<double>(spent).count();
}

// ---- Stronghold's sequence -------------------------------------------------------------------------------------------------

struct sequence {
  int guarded;  // allocations
  int reads;    // of each shard
  int writes;   // of each shard: a new one, and the end of the old one
};

constexpr sequence sequence_of(operation what) {
  switch (what) {
    case operation::create: return {.guarded = 3, .reads = 0, .writes = 1};
    case operation::unlock: return {.guarded = 7, .reads = 2, .writes = 1};
    case operation::refresh: return {.guarded = 4, .reads = 1, .writes = 1};
    case operation::update: return {.guarded = 3, .reads = 0, .writes = 1};
  }
  return {};
}

void check(bool holds, const char* what) {
  if (!holds) give_up(what);
}

void read_shard(const std::string& path, std::vector<char>& bytes) {
  check(chmod(path.c_str(), 0400) == 0, "chmod");
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check(file >= 0 && read(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "read");
  close(file);
  check(chmod(path.c_str(), 0) == 0, "chmod");
}

void write_shard(const std::string& path, const std::vector<char>& bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  check(file >= 0 && write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "write");
  close(file);
  check(chmod(path.c_str(), 0) == 0, "chmod");
}

void end_shard(const std::string& path, std::vector<char>& bytes) {
  check(chmod(path.c_str(), 0200) == 0, "chmod");
  write_shard(path, bytes);
  check(unlink(path.c_str()) == 0, "unlink");
}

double time_of(const subject& by, operation what, std::size_t files, std::size_t size, std::uint64_t count) {
  const sequence steps = sequence_of(what);
  // A shard that is a file needs no guarded memory of its own, but for the buffer that it is read into.
  const std::size_t guarded = static_cast<std::size_t>(steps.guarded) - files * static_cast<std::size_t>(steps.writes);
  std::vector<char> bytes(size, 'x');
  std::vector<void*> secrets(guarded);
  std::vector<std::string> paths;
  for (std::size_t each = 0; each < files; ++each) paths.push_back(directory() + "/shard-" + std::to_string(each));
  for (const auto& path : paths) write_shard(path, bytes);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t round = 0; round < count; ++round) {
    for (void*& secret : secrets) {
      secret = by.allocate(size);
      check(secret != nullptr, "an allocation was refused");
      std::memcpy(secret, bytes.data(), size);
      check(by.noaccess(secret) == 0 && by.readwrite(secret) == 0 && by.noaccess(secret) == 0,
            "a change of access was refused");
    }
    for (const auto& path : paths) {
      for (int reads = 0; reads < steps.reads; ++reads) read_shard(path, bytes);
      const std::string next = path + "-next";
      write_shard(next, bytes);
      end_shard(path, bytes);
      check(rename(next.c_str(), path.c_str()) == 0, "rename");
    }
    for (void* const secret : secrets) by.deallocate(secret, size);
  }
  const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const auto& path : paths) check(unlink(path.c_str()) == 0, "unlink");
  return spent;
}

// ---- The table --------------------------------------------------------------------------------------------------------------

std::string title(const std::string& operation_name, std::size_t size, const std::string& how) {
  return operation_name + " " + size_class(size) + ", " + how;
}

std::string baseline(std::size_t files) { return "libsodium, " + std::to_string(files) + " files"; }

void add_all(const std::vector<kind>& all, const std::vector<subject>& sodium) {
  for (const std::size_t size : sizes) {
    for (const auto& [what, name] : operations) {
      for (const kind& each : all) {
        medians::add(title(name, size, each.name), [what, size, &each](std::uint64_t count) {
          return time_of<non_contiguous_memory>(what, size, count, each.options);
        });
      }
      for (std::size_t files = 0; files < 3 && !sodium.empty(); ++files) {
        medians::add(title(name, size, baseline(files)), [what, size, files, &sodium](std::uint64_t count) {
          return time_of(sodium.front(), what, files, size, count);
        });
      }
      if (what == operation::refresh) continue;
      medians::add(title(name, size, "ram_memory"),
                   [what, size](std::uint64_t count) { return time_of<ram_memory>(what, size, count, ram_memory::options()); });
      medians::add(title(name, size, "file_memory"), [what, size](std::uint64_t count) {
        return time_of<file_memory>(what, size, count, file_memory::options{.directory = directory()});
      });
    }
  }
}

void print(const medians& result, const std::vector<kind>& all) {
  std::printf(
      "Split secrets, every re-mix counted, beside Stronghold's sequence on libsodium's allocator\n"
      "Median of %lld interleaved runs; meanwhile other programs took %.0f %% of the processors' time\n\n",
      static_cast<long long>(result.repetitions()), 100 * result.disturbance());
  table shown({"operation, size, shares", "time", "Stronghold's sequence", "faster"});
  const auto row = [&](const std::string& label, const std::string& other) {
    if (!result.has(label)) return;
    const bool compares = result.has(other);
    shown.add({label, duration(result.of(label)), compares ? duration(result.of(other)) : "",
               compares ? times(result.of(other) / result.of(label)) : ""});
  };
  for (const auto& [what, name] : operations) {
    for (const std::size_t size : sizes) {
      for (const kind& each : all) row(title(name, size, each.name), title(name, size, baseline(files_of(each))));
      for (const char* other : {"ram_memory", "file_memory"}) row(title(name, size, other), "");
    }
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main(int argc, char** argv) {
  using namespace lockfast::bench;
  use_processor(0);
  if (!lockfast::refresher::start()) give_up("the refresher");  // a file's cache is its business
  const std::vector<kind> all = kinds();
  const std::vector<subject> sodium = libsodium();
  if (!sodium.empty()) sodium.front().prepare();
  std::filesystem::create_directory(directory());
  std::filesystem::permissions(directory(), std::filesystem::perms::owner_all);
  add_all(all, sodium);
  // Files make for long runs: fewer of them, unless the command line says otherwise.
  std::string repetitions = "--benchmark_repetitions=9";
  std::vector<char*> arguments{argv[0], repetitions.data()};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  const auto result = medians::measure(static_cast<int>(arguments.size()), arguments.data());
  print(result, all);
  std::filesystem::remove_all(directory());
}
