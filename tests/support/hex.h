// hex.h - bytes as the papers that give test vectors write them.
#ifndef LOCKFAST_TESTS_SUPPORT_HEX_H
#define LOCKFAST_TESTS_SUPPORT_HEX_H

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

inline std::vector<std::byte> from_hex(std::string_view digits) {
  const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at + 1 < digits.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(value(digits[at]) << 4 | value(digits[at + 1])));
  }
  return bytes;
}

inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string digits;
  for (const std::byte each : bytes) {
    digits += "0123456789abcdef"[std::to_integer<unsigned>(each) >> 4];
    digits += "0123456789abcdef"[std::to_integer<unsigned>(each) & 15];
  }
  return digits;
}

#endif
