// json_lines.cc - the writing.
#include "allocator/base/json_lines.h"

namespace lockfast::internal {

void json_lines::begin(std::string_view kind) {
  put('{');
  put_quoted(std::string_view("line"));
  put(':');
  put_quoted(kind);
}

void json_lines::end() {
  put(std::string_view("}\n"));
  flush();
}

void json_lines::text(std::string_view name, std::string_view value) {
  key(name);
  put_quoted(value);
}

void json_lines::number(std::string_view name, std::uint64_t value) {
  key(name);
  put_number(value, 10);
}

void json_lines::limit(std::string_view name, std::size_t value) {
  if (value != SIZE_MAX) return number(name, value);
  key(name);
  put(std::string_view("null"));
}

void json_lines::flag(std::string_view name, bool value) {
  key(name);
  put(value ? std::string_view("true") : std::string_view("false"));
}

void json_lines::address(std::string_view name, const void* value) {
  key(name);
  put(std::string_view("\"0x"));
  put_number(reinterpret_cast<std::uintptr_t>(value), 16);
  put('"');
}

void json_lines::begin_runs(std::string_view name) {
  key(name);
  put('[');
  run_length_ = 0;
  first_run_ = true;
}

void json_lines::run(std::string_view value) {
  if (run_length_ != 0 && run_value_ == value) {
    ++run_length_;
    return;
  }
  put_run();
  run_value_ = value;
  run_length_ = 1;
}

void json_lines::end_runs() {
  put_run();
  put(']');
}

void json_lines::put_run() {
  if (run_length_ == 0) return;
  if (!first_run_) put(',');
  first_run_ = false;
  put('[');
  put_quoted(run_value_);
  put(',');
  put_number(run_length_, 10);
  put(']');
}

void json_lines::key(std::string_view name) {
  put(',');
  put_quoted(name);
  put(':');
}

void json_lines::put(char character) {
  if (size_ == capacity) flush();
  buffer_[size_++] = character;
}

void json_lines::put(std::string_view characters) {
  for (const char character : characters) put(character);
}

// What is no printable ASCII is '?': nothing here has such characters of its own.
void json_lines::put_quoted(std::string_view characters) {
  put('"');
  for (const char character : characters) {
    if (character == '"' || character == '\\') put('\\');
    put(character >= ' ' && character <= '~' ? character : '?');
  }
  put('"');
}

void json_lines::put_number(std::uint64_t value, unsigned base) {
  constexpr std::size_t max_digits = 20;
  char digits[max_digits];
  std::size_t first = max_digits;
  do {
    digits[--first] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  put(std::string_view(digits + first, max_digits - first));
}

void json_lines::flush() {
  if (refusal_ == 0) refusal_ = platform::write_to(descriptor_, {buffer_, size_});
  size_ = 0;
}

}  // namespace lockfast::internal
