// long_secret.cc - counts the lines of a secret that is longer than what may be locked: the standard input, to its end.
#include <lockfast/lockfast.hpp>

#include <algorithm>
#include <cstdio>

using namespace lockfast;

int main() {
  auto held = sealed_stream::create();                                           // NewStream
  const auto size = held ? held->append_from(0) : std::unexpected(held.error());  // io.Copy(stream, os.Stdin)
  if (!size) return std::puts(message(size.error()).data());
  std::ptrdiff_t lines = 0;
  const auto read = held->use([&](std::span<const std::byte> chunk) {  // Next, until io.EOF
    lines += std::ranges::count(chunk, std::byte{'\n'});
  });
  if (!read) return std::puts(message(read.error()).data());
  std::printf("%llu bytes, %td lines\n", static_cast<unsigned long long>(*size), lines);
}
