// many.cc - a wallet of 10,000 keys that knows libsodium alone: each in its own sodium_malloc block, closed at rest. As an ordinary
// user under a limit on locks it opens every key once, and searches its own unlocked memory for plain keys.
//
//   client_many held|fell BYTES    what is expected of the keys at rest, and the limit
//
// Exit status: 0 as expected, 1 not, 77 where this memory cannot be searched.
#include <sodium.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "support/unlocked_memory.h"

namespace {

constexpr std::size_t key_size = 32;
constexpr std::size_t key_count = 10'000;

int fail(const char* what) {
  std::fprintf(stderr, "failed: %s\n", what);
  return 1;
}

// Sixteen bytes that begin every key, made here so that they are in no file, then its number.
struct key {
  unsigned char begin[16];
  std::uint64_t which;
  std::uint64_t again;

  explicit key(std::uint64_t number) : which(number), again(~number) {
    static const volatile unsigned twist = 0x5a;
    for (std::size_t at = 0; at < sizeof begin; ++at) begin[at] = static_cast<unsigned char>((at * 41 + 7) ^ twist);
  }
};
static_assert(sizeof(key) == key_size);

std::size_t plain_keys() {
  key wanted(0);
  const std::size_t found = count_in_unlocked_memory(wanted.begin);
  sodium_memzero(&wanted, sizeof wanted);
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || sodium_init() < 0) return 2;
  const std::string_view expected = argv[1];
  if (!become_user(std::strtoul(argv[2], nullptr, 10))) return fail("no ordinary user under the limit");
  std::vector<void*> keys(key_count);
  for (std::size_t at = 0; at < key_count; ++at) {
    keys[at] = sodium_malloc(key_size);
    if (keys[at] == nullptr) return fail("a key was refused");
    key made(at);
    std::memcpy(keys[at], &made, key_size);
    sodium_memzero(&made, sizeof made);
    if (sodium_mprotect_noaccess(keys[at]) != 0) return fail("a key does not close");
  }
  const std::size_t at_rest = plain_keys();
  if (at_rest == SIZE_MAX) return 77;
  for (std::size_t at = 0; at < key_count; ++at) {
    if (sodium_mprotect_readonly(keys[at]) != 0) return fail("a key does not open");
    key expected_key(at);
    const bool same = std::memcmp(keys[at], &expected_key, key_size) == 0;
    sodium_memzero(&expected_key, sizeof expected_key);
    if (!same) return fail("a key is not whole");
    if (sodium_mprotect_noaccess(keys[at]) != 0) return fail("a key does not close again");
  }
  const std::size_t after_use = plain_keys();
  std::printf("%zu of %zu keys are plain in unlocked memory at rest, %zu after each was opened\n", at_rest, key_count, after_use);
  for (void* const each : keys) sodium_free(each);
  if (expected == "held") return at_rest == 0 && after_use == 0 ? 0 : fail("a plain key");
  return at_rest != 0 && after_use != 0 ? 0 : fail("the control finds nothing");
}
