// string_test.cc - lockfast::string beside std::string, and where its text and a vector's elements lie.
//
// As in search_test.cc the tests search the whole memory of the process, and see every block of the allocator's with hidden=off.
#include <doctest/doctest.h>
#include <lockfast/allocator.hpp>

#include <algorithm>
#include <array>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <utility>

#include "support/memory_search.h"

using namespace lockfast;

namespace {

// Ten characters, which every std::string holds in itself; made from others, so that the program has no second copy.
constexpr std::size_t length = 10;
constexpr char mask = 0x15;
constexpr std::array<char, length> changed = {'v' ^ mask, '7' ^ mask, 'Q' ^ mask, 'k' ^ mask, '2' ^ mask,
                                              'Z' ^ mask, 'x' ^ mask, '9' ^ mask, 'W' ^ mask, 'j' ^ mask};

char character(std::size_t at) {
  const volatile char* const hidden = changed.data();
  return static_cast<char>(hidden[at] ^ mask);
}

std::size_t copies_in(std::span<const std::byte> bytes) {
  std::size_t found = 0;
  for (auto at = bytes.begin();; ++at) {
    at = std::search(at, bytes.end(), changed.begin(), changed.end(),
                     [](std::byte there, char wanted) { return static_cast<char>(there) == static_cast<char>(wanted ^ mask); });
    if (at == bytes.end()) return found;
    ++found;
  }
}

std::size_t copies_in_memory() { return sum_over_memory(length, copies_in); }

// Writes the text one character at a time, by whatever the container grows with.
template <class Container>
void fill(Container& container) {
  for (std::size_t at = 0; at < length; ++at) container.push_back(character(at));
}

// Where an object lies that stays there when it is destroyed.
template <class T>
struct place {
  alignas(T) std::byte bytes[sizeof(T)] = {};
};

bool lies_in_a_secret(const string& text) { return text.empty() || lockfast_size(text.data()) == text.capacity() + 1; }

}  // namespace

TEST_CASE("a string does what std::string does") {
  std::mt19937 random(20);
  const auto below = [&](std::size_t limit) { return random() % limit; };
  for (int round = 0; round < 200; ++round) {
    string ours;
    std::string theirs;
    for (int step = 0; step < 60; ++step) {
      const std::size_t at = below(theirs.size() + 1);
      const std::size_t count = below(40);
      const std::string text(below(30), static_cast<char>('a' + below(26)));
      switch (below(16)) {
        case 0: ours.append(text), theirs.append(text); break;
        case 1: ours.insert(at, text), theirs.insert(at, text); break;
        case 2: ours.replace(at, count, text), theirs.replace(at, count, text); break;
        case 3: ours.erase(at, count), theirs.erase(at, count); break;
        case 4: ours.push_back('p'), theirs.push_back('p'); break;
        case 5: ours.assign(text), theirs.assign(text); break;
        case 6: ours.resize(count, 'r'), theirs.resize(count, 'r'); break;
        case 7: ours.replace(at, count, 3, '3'), theirs.replace(at, count, 3, '3'); break;
        case 8: ours = ours + text + 'c', theirs = theirs + text + 'c'; break;
        case 9: ours = 'l' + (text + ours), theirs = 'l' + (text + theirs); break;
        // Parts of the string itself.
        case 10: ours.insert(at, ours), theirs.insert(at, theirs); break;
        case 11: ours.replace(at, count, ours.c_str() + at / 2), theirs.replace(at, count, theirs.c_str() + at / 2); break;
        case 12: ours.append(ours.rbegin(), ours.rend()), theirs.append(std::string(theirs.rbegin(), theirs.rend())); break;
        case 13: ours = ours.substr(at / 2, count), theirs = theirs.substr(at / 2, count); break;
        case 14: ours.insert(ours.begin() + at, text.begin(), text.end()), theirs.insert(at, text); break;
        default: ours.shrink_to_fit(), ours.reserve(count); break;
      }
      if (theirs.size() > 500) ours.clear(), theirs.clear();
      REQUIRE(ours == theirs);
      REQUIRE(ours.c_str()[ours.size()] == '\0');
      REQUIRE(lies_in_a_secret(ours));
    }
  }
  CHECK(lockfast_audit() == 0);
}

TEST_CASE("a string is copied, moved, compared, searched and printed as std::string is") {
  string a = "abc";
  const string copy = a;
  string moved = std::move(a);
  CHECK(moved == copy);
  a = "again";  // after it was moved away
  string& same = a;
  a = std::move(same);
  moved = std::move(a);
  CHECK(moved == "again");
  swap(moved, a);
  a = same;
  CHECK(a == std::string("again"));
  CHECK(std::string_view("again") == a);
  CHECK(copy < a);
  CHECK("b" > copy);
  CHECK(a.find('n') == 4);
  CHECK(a.rfind("a") == 2);
  CHECK(a.contains("gai"));
  CHECK(a.find_first_not_of("ag") == 3);
  CHECK(string({'x', 'y'}) == string("xyz", 2));
  const std::list<char> chain = {'l', 'i', 's', 't'};
  CHECK(string(chain.begin(), chain.end()) == "list");
  CHECK(string(3, '.').append("abcdef", 2, 2) == "...cd");
  CHECK(a.erase(a.begin(), a.begin() + 2) == a.begin());
  CHECK(*a.insert(a.begin(), 'A') == 'A');
  CHECK(a == "Aain");
  a.insert(0, 2, '-').pop_back();
  CHECK(a == "--Aai");
  CHECK_THROWS_AS((void)a.at(5), std::out_of_range);
  CHECK_THROWS_AS(a.insert(6, "x"), std::out_of_range);
  CHECK_THROWS_AS(a.reserve(SIZE_MAX), std::bad_alloc);
  CHECK_THROWS_AS(a.append(SIZE_MAX / 2, 'x'), std::bad_alloc);
  CHECK(a == "--Aai");
  string none;
  CHECK(none.append(none.c_str()).append(none.data(), 0).empty());
  CHECK(*none.c_str() == '\0');
  std::ostringstream out;
  out << a << '.';
  CHECK(out.str() == "--Aai.");
  std::map<string, int, std::less<>> table;
  table["key"] = 1;
  CHECK(table.contains(std::string_view("key")));
}

TEST_CASE("what is erased of a string is wiped at once") {
  string text(40, 's');
  const char* const bytes = text.data();
  text.erase(10, 25);
  text.pop_back();
  CHECK(std::all_of(bytes + 14, bytes + 41, [](char each) { return each == '\0'; }));
  CHECK(erase(text, 'x') == 0);
  text.resize_and_overwrite(40, [](char* to, std::size_t count) { return std::fill_n(to, count + 1, 's'), count / 2; });
  CHECK(std::all_of(bytes + 20, bytes + 41, [](char each) { return each == '\0'; }));
  CHECK(erase(text, 's') == 20);
  CHECK(text.data() == bytes);
  CHECK(std::all_of(bytes, bytes + 41, [](char each) { return each == '\0'; }));
  text = "again";
  text.clear();
  CHECK(std::all_of(bytes, bytes + 41, [](char each) { return each == '\0'; }));
}

TEST_CASE("the text of a string, short as it may be, is never in the object or on the stack") {
  if (!memory_can_be_searched()) {
    MESSAGE("the memory cannot be searched here");
    return;
  }
  using ordinary = std::basic_string<char, std::char_traits<char>, allocator<char>>;
  const std::size_t before = copies_in_memory();
  {
    auto control = std::make_unique<place<ordinary>>();
    auto* const text = new (control->bytes) ordinary;
    fill(*text);
    CHECK(copies_in(control->bytes) == 1);  // where std::basic_string has it
    text->~ordinary();
    lockfast_wipe(control->bytes, sizeof(ordinary));
  }
  REQUIRE(copies_in_memory() == before);

  auto own = std::make_unique<place<string>>();
  auto other = std::make_unique<place<string>>();
  auto* const text = new (own->bytes) string;
  fill(*text);
  auto* const moved = new (other->bytes) string(std::move(*text));
  *text = *moved;  // after it was moved away
  string copy = *text;
  copy += *text;
  copy.erase(length);
  *moved = std::move(copy);
  copy = moved->substr(0, 4);
  swap(*text, *moved);
  text->shrink_to_fit();
  const std::list<char, allocator<char>> chain(moved->begin(), moved->end());
  moved->assign(chain.begin(), chain.end());
  // Functions with which a std::basic_string makes another one on the stack, or which need room for a part of the string itself.
  copy.replace(copy.begin(), copy.end(), chain.begin(), chain.end());
  copy.insert(copy.begin(), chain.begin(), chain.end());
  copy.append(copy).replace(copy.begin(), copy.end(), copy.begin(), copy.begin() + length).insert(0, copy, 0, length);
  copy = std::move(copy) + *text + (*moved + '.');
  copy.resize_and_overwrite(5 * length,
                            [&](char* to, std::size_t count) { return moved->copy(to + count - length, length) * 5; });
  copy = string(chain.begin(), chain.end(), allocator<char>()) + copy.substr(0, length).c_str();
  copy.erase(4);
  CHECK(text->size() == length);
  CHECK(*text == *moved);
  CHECK(copies_in(own->bytes) == 0);
  CHECK(copies_in(other->bytes) == 0);
  // Each copy that there is lies in a secret; where secrets are hidden the search sees none.
  CHECK(copies_in_memory() <= before + 2);
  copy.clear();
  text->~string();
  moved->~string();
  CHECK(copies_in(own->bytes) == 0);
  CHECK(copies_in_memory() == before);
}

TEST_CASE("a growing vector and a growing string leave nothing where they were") {
  if (!memory_can_be_searched()) {
    MESSAGE("the memory cannot be searched here");
    return;
  }
  const std::size_t before = copies_in_memory();
  {
    vector<char> grown;
    string text;
    fill(grown);
    fill(text);
    for (std::size_t more = 0; more < 20'000; ++more) {
      grown.push_back('.');
      text.push_back('.');
    }
    CHECK(copies_in_memory() <= before + 2);
    grown.shrink_to_fit();
    grown.insert(grown.begin(), 5'000, '.');
    text.insert(0, 5'000, '.');
    CHECK(copies_in_memory() <= before + 2);
  }
  CHECK(copies_in_memory() == before);
}
