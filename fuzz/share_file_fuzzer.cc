// share_file_fuzzer.cc - puts decoded bytes in the place of a share's file, or of a sealed one: damaged, or the very bytes.
//
// The input says how the secret is held, how often it was mixed anew, and what is done to its file: bytes written over it, at
// any place; a length; what the file was a re-mix earlier; its two areas exchanged. Whatever is not the file as it was must be
// memory_error::damaged; the file as it was must give the secret.
#include <lockfast/lockfast.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/own_folder.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {
namespace {

enum change : unsigned char { overwrite, patch, cut, extend, replay, exchange, restore, change_count };

constinit std::array<kind, change_count> counts = {{{"overwrite", 0},
                                                    {"patch", 0},
                                                    {"cut", 0},
                                                    {"extend", 0},
                                                    {"earlier contents", 0},
                                                    {"exchanged areas", 0},
                                                    {"as it was", 0}}};

using contents = std::vector<std::uint8_t>;

const std::string& directory() {
  static const own_folder own("share");
  static const std::string path = own.path().string();
  return path;
}

// The one file of our directory that is open, nameless or not.
class share_file {
 public:
  share_file() {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
      struct stat state = {};
      if (gone || !target.starts_with(directory() + "/") || stat(entry.path().c_str(), &state) != 0) continue;
      if (S_ISREG(state.st_mode)) descriptor_ = open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    }
    if (descriptor_ < 0) disagree("no file is open");
  }
  ~share_file() { close(descriptor_); }
  share_file(const share_file&) = delete;
  share_file& operator=(const share_file&) = delete;

  contents read() const {
    struct stat state = {};
    if (fstat(descriptor_, &state) != 0) disagree("fstat");
    contents all(static_cast<std::size_t>(state.st_size));
    if (pread(descriptor_, all.data(), all.size(), 0) != static_cast<ssize_t>(all.size())) disagree("pread");
    return all;
  }
  void write(const contents& all) const {
    if (ftruncate(descriptor_, static_cast<off_t>(all.size())) != 0 ||
        pwrite(descriptor_, all.data(), all.size(), 0) != static_cast<ssize_t>(all.size())) {
      disagree("pwrite");
    }
  }

 private:
  int descriptor_ = -1;
};

using memory = std::variant<file_memory, non_contiguous_memory>;

template <class Memory>
memory must(std::expected<Memory, memory_error> made) {
  if (!made) disagree("a secret is refused: %s", message(made.error()).data());
  return std::move(*made);
}

memory held_as(std::size_t how, buffer<std::byte> secret) {
  using enum share_place;
  if (how == 0) return must(file_memory::create(std::move(secret), {.directory = directory(), .prekey = 32}));
  return must(non_contiguous_memory::create(std::move(secret), {.shares = how == 1   ? std::vector{ram, file}
                                                                          : how == 2 ? std::vector{file, ram}
                                                                                     : std::vector{ram, file, ram},
                                                                .prekey = 40,
                                                                .directory = directory(),
                                                                .remix = remix_policy::on_demand}));
}

void run(bytes input) {
  const std::size_t how = input.below(4);
  auto secret = buffer<std::byte>::random(1 + input.below(50));
  const memory held = held_as(how, std::move(*secret->copy()));
  const share_file file;
  const auto refresh = [&] {
    if (const auto* const split = std::get_if<non_contiguous_memory>(&held)) {
      if (!split->refresh()) disagree("a refresh is refused");
    }
  };
  for (std::size_t round = input.below(3); round > 0; --round) refresh();
  const contents earlier = file.read();
  refresh();
  const contents before = file.read();

  contents after = before;
  const auto what = static_cast<change>(input.below(change_count));
  switch (what) {
    case overwrite:
      for (auto& byte : after) byte = input.next();
      break;
    case patch:
      for (std::size_t count = 1 + input.below(4); count > 0; --count) after[input.below(after.size())] ^= input.next();
      break;
    case cut: after.resize(input.below(after.size())); break;
    case extend: after.resize(after.size() + 1 + input.below(300), input.next()); break;
    case replay: after = earlier; break;
    case exchange: std::ranges::rotate(after, after.begin() + static_cast<std::ptrdiff_t>(after.size() / 2)); break;
    case restore:
    case change_count: break;
  }
  ++counts[what].count;
  file.write(after);
  const auto whole = std::visit([](const auto& in) { return in.unlock(); }, held);
  if (after == before) {
    if (!whole || !(*whole == *secret)) disagree("a file as it was does not give the secret");
  } else if (whole || whole.error() != memory_error::damaged) {
    disagree("a changed file is not damaged");
  }
  file.write(before);
  const auto again = std::visit([](const auto& in) { return in.unlock(); }, held);
  if (!again || !(*again == *secret)) disagree("a file that was put back does not give the secret");
}

}  // namespace

std::span<const kind> kinds() { return counts; }

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  lockfast::refresher::stop();
  lockfast::fuzz::run(lockfast::fuzz::bytes({bytes, size}));
  return 0;
}
