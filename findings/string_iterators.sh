#!/usr/bin/env bash
# string_iterators.sh - assign, append, insert and replace of iterators leave short text on the stack, though the string has room.
#
# Version: libstdc++ of GCC 12 (Debian 12, libstdc++-12-dev 12.2.0-14+deb12u1).
# Guess:   A std::string that has reserved room outside itself writes there, whatever function is called: no copy is elsewhere.
# Seen:    Each of the four makes a second std::string of what the iterators enclose. Text of up to 15 characters is in that object, on
#          the stack, and stays there. With a std::string_view none does so.
# Source:  libstdc++, bits/basic_string.tcc: _M_replace_dispatch makes "const basic_string __s(__k1, __k2, this->get_allocator())".
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >program.cc <<'PROGRAM'
#include <cstdio>
#include <cstring>
#include <list>
#include <string>
#include <string_view>

static const volatile char changed[] = {'v' ^ 21, '7' ^ 21, 'Q' ^ 21, 'k' ^ 21, '2' ^ 21, 'Z' ^ 21, 'x' ^ 21, '9' ^ 21, 'W' ^ 21, 'j' ^ 21};

static std::list<char> chain;  // no two characters side by side
static std::string beside;
static std::string text;

// Whether the text lies in what functions have used of the stack below this one's frame.
__attribute__((noinline)) static bool on_the_stack() {
  const volatile char* const here = static_cast<const volatile char*>(__builtin_frame_address(0));
  for (const volatile char* at = here - 4096; at < here - sizeof changed; ++at) {
    std::size_t same = 0;
    while (same < sizeof changed && static_cast<char>(at[same] ^ 21) == changed[same]) ++same;
    if (same == sizeof changed) return true;
  }
  return false;
}

__attribute__((noinline)) static void clear_stack() {
  volatile char below[4096];
  for (volatile char& each : below) each = 0;
}

template <class Change>
__attribute__((noinline)) static void try_one(const char* name, Change change) {
  text = std::string();
  text.reserve(64);
  clear_stack();
  change();
  std::printf("%s: %s\n", name, on_the_stack() ? "on the stack" : "not on the stack");
}

int main() {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  for (const volatile char& each : changed) chain.push_back(static_cast<char>(each ^ 21)), beside.push_back(static_cast<char>(each ^ 21));
  try_one("assign of iterators", [] { text.assign(chain.begin(), chain.end()); });
  try_one("append of iterators", [] { text.append(chain.begin(), chain.end()); });
  try_one("insert of iterators", [] { text.insert(text.begin(), chain.begin(), chain.end()); });
  try_one("replace of iterators", [] { text.replace(text.begin(), text.end(), chain.begin(), chain.end()); });
  try_one("assign of a string_view", [] { text.assign(std::string_view(beside)); });
}
PROGRAM

g++-12 -std=c++17 -O2 program.cc -o program
./program | tee seen

diff - seen <<'EXPECTED'
assign of iterators: on the stack
append of iterators: on the stack
insert of iterators: on the stack
replace of iterators: on the stack
assign of a string_view: not on the stack
EXPECTED
