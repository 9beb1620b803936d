// scan.cc - searches files for the patterns of pattern.h.
//
//    residue_scan SEED HOLDERS [--where] FILE...
//
// For each file, process and type of which something was found it prints a line: the file, the process, the type, how many of its
// patterns are there whole, how many whole ones there are with all copies, and how many pieces of 8 bytes lie where no whole
// pattern does. A piece is found if it begins at a multiple of 8 of its pattern; so each run of 15 bytes is noticed. With
// --where it says on standard error at which offset each finding is.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "residue/pattern.h"

namespace {

using namespace residue;

constexpr std::size_t piece_size = 8;
constexpr unsigned filter_bits = 22;

struct place {
  unsigned pattern;
  unsigned at;  // bytes from its start
};

class patterns {
 public:
  patterns(std::uint64_t seed, unsigned holders) : bytes_(std::size_t{holders} * type_count * pattern_count * pattern_size) {
    std::size_t next = 0;
    for (unsigned holder = 0; holder < holders; ++holder) {
      for (unsigned type = 0; type < type_count; ++type) {
        for (unsigned secret = 0; secret < pattern_count; ++secret) {
          for (unsigned at = 0; at < pattern_size; ++at) bytes_[next++] = pattern_byte(seed, holder, type, secret, at);
        }
      }
    }
    for (std::size_t at = 0; at < bytes_.size(); at += piece_size) {
      std::uint64_t piece = 0;
      std::memcpy(&piece, bytes_.data() + at, piece_size);
      filter_[slot(piece)] = true;
      pieces_.emplace(piece, place{static_cast<unsigned>(at / pattern_size), static_cast<unsigned>(at % pattern_size)});
    }
  }

  [[nodiscard]] const place* find(std::uint64_t piece) const {
    if (!filter_[slot(piece)]) return nullptr;
    const auto found = pieces_.find(piece);
    return found == pieces_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const unsigned char* bytes(unsigned pattern) const {
    return bytes_.data() + std::size_t{pattern} * pattern_size;
  }
  [[nodiscard]] std::size_t count() const { return bytes_.size() / pattern_size; }

 private:
  static std::size_t slot(std::uint64_t piece) { return piece & ((std::size_t{1} << filter_bits) - 1); }

  std::vector<unsigned char> bytes_;
  std::vector<bool> filter_ = std::vector<bool>(std::size_t{1} << filter_bits);
  std::unordered_map<std::uint64_t, place> pieces_;
};

struct findings {
  std::vector<unsigned> copies;  // of each pattern
  std::vector<unsigned> pieces;
};

// Whether the pattern of which a piece begins at an offset is there whole.
bool whole(const unsigned char* bytes, std::size_t size, std::size_t offset, const place& found, const unsigned char* pattern) {
  if (offset < found.at || size - (offset - found.at) < pattern_size) return false;
  return std::memcmp(bytes + (offset - found.at), pattern, pattern_size) == 0;
}

findings search(const unsigned char* bytes, std::size_t size, const patterns& all, const char* where) {
  findings in{std::vector<unsigned>(all.count()), std::vector<unsigned>(all.count())};
  for (std::size_t offset = 0; offset + piece_size <= size; ++offset) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, bytes + offset, piece_size);
    if (piece == 0) continue;
    const place* const found = all.find(piece);
    if (found == nullptr) continue;
    const bool is_whole = whole(bytes, size, offset, *found, all.bytes(found->pattern));
    if (is_whole && found->at != 0) continue;
    ++(is_whole ? in.copies : in.pieces)[found->pattern];
    if (where != nullptr) {
      const unsigned type = found->pattern / pattern_count % type_count;
      std::fprintf(stderr, "%s %#zx: %u %s %u, %s %u\n", where, offset, found->pattern / pattern_count / type_count,
                   type_name[type], found->pattern % pattern_count, is_whole ? "whole" : "piece at", found->at);
    }
  }
  return in;
}

void print(const char* file, const findings& in) {
  for (unsigned kind = 0; kind < in.copies.size() / pattern_count; ++kind) {
    unsigned distinct = 0;
    unsigned copies = 0;
    unsigned pieces = 0;
    for (unsigned secret = 0; secret < pattern_count; ++secret) {
      const unsigned pattern = kind * pattern_count + secret;
      if (in.copies[pattern] != 0) ++distinct;
      copies += in.copies[pattern];
      pieces += in.pieces[pattern];
    }
    if (copies == 0 && pieces == 0) continue;
    std::printf("%s %u %s %u %u %u\n", file, kind / type_count, type_name[kind % type_count], distinct, copies, pieces);
  }
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: residue_scan SEED HOLDERS [--where] FILE...\n", stderr);
    return 2;
  }
  const patterns all(std::strtoull(argv[1], nullptr, 10), static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
  const bool where = std::string_view(argv[3]) == "--where";
  for (int each = where ? 4 : 3; each < argc; ++each) {
    const int file = open(argv[each], O_RDONLY | O_CLOEXEC);
    struct stat facts = {};
    if (file < 0 || fstat(file, &facts) != 0) fail(argv[each]);
    const auto size = static_cast<std::size_t>(facts.st_size);
    void* const bytes = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED) fail(argv[each]);
    print(argv[each], search(static_cast<const unsigned char*>(bytes), size, all, where ? argv[each] : nullptr));
    munmap(bytes, size);
    close(file);
  }
  return 0;
}
