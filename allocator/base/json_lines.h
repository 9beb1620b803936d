// json_lines.h - writes lines of JSON to a descriptor, from a small buffer on the stack.
//
//    json_lines out(descriptor);
//    out.begin("totals");              {"line":"totals"
//    out.number("live", 3);            ,"live":3
//    out.end();                        }
//
// A line that fits the buffer is one write. After a refused write the rest is dropped, and refusal() has the errno.
//
// Threads: each has its own. Async-signal-safe.
#ifndef LOCKFAST_ALLOCATOR_BASE_JSON_LINES_H
#define LOCKFAST_ALLOCATOR_BASE_JSON_LINES_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "platform/platform.h"

namespace lockfast::internal {

class json_lines {
 public:
  explicit json_lines(int descriptor) : descriptor_(descriptor) {}
  json_lines(const json_lines&) = delete;
  json_lines& operator=(const json_lines&) = delete;

  // The errno of the first write that was refused, or 0.
  [[nodiscard]] platform::error refusal() const { return refusal_; }

  void begin(std::string_view kind);
  void end();

  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  // SIZE_MAX, which stands for "unlimited", is null.
  void limit(std::string_view key, std::size_t value);
  void flag(std::string_view key, bool value);
  void address(std::string_view key, const void* value);

  // A list of [value, how many times it follows itself], which run() extends by one value at a time.
  void begin_runs(std::string_view key);
  void run(std::string_view value);
  void end_runs();

 private:
  static constexpr std::size_t capacity = 1024;

  void key(std::string_view name);
  void put(char character);
  void put(std::string_view characters);
  void put_quoted(std::string_view characters);
  void put_number(std::uint64_t value, unsigned base);
  void put_run();
  void flush();

  int descriptor_;
  platform::error refusal_ = 0;
  std::size_t size_ = 0;
  std::string_view run_value_;
  std::size_t run_length_ = 0;
  bool first_run_ = true;
  char buffer_[capacity];
};

}  // namespace lockfast::internal

#endif
