// vault_million_bench.cc - how long does it take, and how much memory, to hold, save and load a vault of 1,000,000 records?
//
// Beside it stands the least that could be done: each record opened and sealed by the bare cipher, and as many bytes written
// and synced, or read. With libsodium a program opens each record by crypto_secretbox into a sodium_malloc block and seals it
// again for the file; of that a part is done, and the time of all follows from it.
#include <lockfast/lockfast.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/process_memory.h"
#include "bench/processor.h"
#include "bench/sodium_box.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"
#include "boojum/crypto/cipher.h"
#include "boojum/crypto/nonce.h"
#include "boojum/memory/scratch.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t record_count = 1'000'000;
constexpr std::size_t record_size = 32;
constexpr std::size_t stored_size = record_count * (record_size + 8);  // in the plain stream of a file
constexpr std::size_t chunk_size = 65536;
constexpr std::size_t sodium_part = 20;  // of all records, one in so many
constexpr int runs = 5;

struct figures {
  double insert;  // seconds, as the next ones
  double rekey;
  double save;
  double load;
  double resident;   // bytes, of all records and all that comes with them
  double footprint;  // bytes, by the vault's own word
};

template <class Body>
double time_of(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

template <class Value>
Value must(std::expected<Value, memory_error> made) {
  if (!made) give_up(message(made.error()).data());
  if constexpr (!std::is_void_v<Value>) return std::move(*made);
}

std::string path() { return (std::filesystem::temp_directory_path() / "lockfast-vault-bench").string(); }

// ---- The vault -------------------------------------------------------------------------------------------------------------

figures vault_figures() {
  std::string typed = "four words of mine";
  const auto phrase = must(passphrase::take(std::span<char>(typed)));
  const auto secret = must(buffer<std::byte>::random(record_size));
  const auto view = secret.read();
  const vault::options cold = {.hot_records = 0, .key_age = std::chrono::seconds(0)};
  figures found{};
  vault records(cold);
  const double before = process_footprint().resident;
  found.insert = time_of([&] {
    constexpr std::size_t together = 1000;
    const std::vector<std::span<const std::byte>> part(together, view.span());
    std::vector<vault::id> ids(together);
    for (std::size_t count = 0; count < record_count; count += together) must(records.insert(part, ids));
  });
  found.resident = process_footprint().resident - before;
  found.footprint = static_cast<double>(records.footprint());
  // The least stretching that there is, so that the file is what is measured.
  found.save = time_of([&] { must(records.save(path(), phrase, {.cost = 10, .over = vault::replaces::any_file})); });
  found.load = time_of([&] { (void)must(vault::load(path(), phrase, {.vault = cold})); });
  found.rekey = time_of([&] { must(records.rekey()); });
  return found;
}

// ---- The bare cipher, and the disk ---------------------------------------------------------------------------------------

class disk {
 public:
  static double write(std::span<const std::byte> bytes) {
    return time_of([&] {
      const int file = ::open(path().c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
      if (file < 0) give_up("open");
      while (!bytes.empty()) {
        const ssize_t length = ::write(file, bytes.data(), std::min(bytes.size(), chunk_size));
        if (length <= 0) give_up("write");
        bytes = bytes.subspan(static_cast<std::size_t>(length));
      }
      if (fsync(file) != 0) give_up("fsync");
      ::close(file);
    });
  }
  static double read(std::span<std::byte> bytes) {
    return time_of([&] {
      const int file = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
      if (file < 0) give_up("open");
      for (ssize_t length = 1; length > 0;) length = ::read(file, bytes.data(), std::min(bytes.size(), chunk_size));
      ::close(file);
    });
  }
};

figures cipher_figures() {
  using namespace internal;
  struct sealed {
    nonce once;
    std::array<std::byte, record_size + tag_size> bytes;
  };
  std::vector<sealed> all(record_count);
  std::vector<std::byte> file(stored_size + stored_size / chunk_size * tag_size);
  const scratch key(key_size);
  const scratch plain(record_size);
  const scratch chunk(chunk_size);
  std::vector<std::byte> sealed_chunk(chunk_size + tag_size);
  lockfast_random(key.data(), key_size);
  const key_view opened(key.data(), key_size);
  const std::array<std::byte, 28> associated{};
  const auto check = [](bool opened_it) {
    if (!opened_it) give_up("the cipher");
  };
  const auto seal_all = [&]() {
    for (sealed& each : all) {
      each.once = *fresh_nonce();
      seal(opened, each.once, associated, plain.bytes(), each.bytes);
    }
  };
  const auto open_all = [&]() {
    for (const sealed& each : all) check(open(opened, each.once, associated, each.bytes, plain.bytes()));
  };
  const nonce once = *fresh_nonce();
  const auto seal_chunks = [&]() {
    for (std::size_t done = 0; done < stored_size; done += chunk_size) {
      seal(opened, once, associated, chunk.bytes(), sealed_chunk);
    }
  };
  const auto open_chunks = [&]() {
    for (std::size_t done = 0; done < stored_size; done += chunk_size) {
      check(open(opened, once, associated, sealed_chunk, chunk.bytes()));
    }
  };
  figures found{};
  found.insert = time_of([&] { seal_all(); });
  found.rekey = time_of([&] {
    open_all();
    seal_all();
  });
  found.save = time_of([&] {
    open_all();
    seal_chunks();
  });
  found.load = time_of([&] {
    open_chunks();
    seal_all();
  });
  found.save += disk::write(file);
  found.load += disk::read(file);
  return found;
}

figures disk_figures() {
  std::vector<std::byte> file(stored_size);
  figures found{};
  found.save = disk::write(file);
  found.load = disk::read(file);
  return found;
}

// ---- libsodium -------------------------------------------------------------------------------------------------------------

figures sodium_figures() {
  const sodium_box box;
  const std::vector<unsigned char> plain(record_size, 'x');
  figures found{};
  const double before = process_footprint().resident;
  std::vector<sodium_box::record> all(record_count);
  found.insert = time_of([&] {
    for (auto& each : all) each = box.seal(plain);
  });
  found.resident = process_footprint().resident - before;
  const auto again = [&] {
    for (std::size_t at = 0; at < record_count; at += sodium_part) {
      unsigned char* const block = box.open(all[at]);
      all[at] = box.seal({block, record_size});
      box.close(block);
    }
  };
  // Both directions open what is sealed in one place and seal it for the other.
  std::vector<std::byte> file(stored_size);
  found.rekey = time_of(again) * sodium_part;
  found.save = time_of(again) * sodium_part + disk::write(file);
  found.load = time_of(again) * sodium_part + disk::read(file);
  return found;
}

// ---- The table -------------------------------------------------------------------------------------------------------------

struct subject_of_million {
  const char* name;
  figures (*measure)();
};

double median(const std::vector<figures>& of, double figures::* which) {
  std::vector<double> values;
  for (const figures& each : of) values.push_back(each.*which);
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

void print() {
  std::vector<subject_of_million> subjects = {
      {"vault", vault_figures}, {"bare cipher, and the disk", cipher_figures}, {"the disk alone", disk_figures}};
  if (sodium_box::installed()) subjects.push_back({"libsodium", sodium_figures});
  std::vector<std::vector<figures>> found(subjects.size());
  const other_work others;
  for (int run = 0; run < runs; ++run) {
    for (std::size_t index = 0; index < subjects.size(); ++index) {
      // In a process of its own, so that none starts with what another left.
      worker<int, figures> alone([] { use_processor(0); }, [&](const int&) { return subjects[index].measure(); });
      found[index].push_back(alone.ask(0));
    }
  }
  std::printf(
      "1,000,000 records of 32 bytes: median of %d interleaved runs; other programs took %.0f %% of the processors' time\n\n",
      runs, 100 * others.share());
  table shown({"subject", "insert", "re-key", "save, synced", "load, cached", "memory", "each", "by its own word"});
  for (std::size_t index = 0; index < subjects.size(); ++index) {
    const auto time = [&](double figures::* which) {
      const double value = median(found[index], which);
      return value == 0 ? std::string("-") : seconds(value);
    };
    const double resident = median(found[index], &figures::resident);
    const double footprint = median(found[index], &figures::footprint);
    shown.add({subjects[index].name, time(&figures::insert), time(&figures::rekey), time(&figures::save), time(&figures::load),
               resident == 0 ? "-" : bytes(resident), resident == 0 ? "-" : bytes(resident / record_count),
               footprint == 0 ? "-" : bytes(footprint)});
  }
  shown.print();
  std::filesystem::remove(path());
}

}  // namespace
}  // namespace lockfast::bench

int main() { lockfast::bench::print(); }
