// options.h - the policy: what a program asked for, then what LOCKFAST_OPTIONS says, then the defaults.
//
// Threads: values.
#ifndef LOCKFAST_ALLOCATOR_OPTIONS_H
#define LOCKFAST_ALLOCATOR_OPTIONS_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <span>

namespace lockfast::internal {

// The name of a field that is no value of its enum, of a report's destination that is too long, or of a reserved field that is not 0;
// null where all is well. 0, the default, is a value of each.
[[nodiscard]] const char* invalid_field(const lockfast_options& options);

// What is wrong with a text of options, in words without an end of line: which pair, and what may stand there.
class options_fault {
 public:
  [[nodiscard]] std::span<const char> text() const { return {text_, size_}; }

  // Appends as much as there is room for.
  void add(std::span<const char> words);
  // The same between quotes, shortened, and with '?' for what is no printable character.
  void add_quoted(std::span<const char> words);

 private:
  static constexpr std::size_t capacity = 256;
  char text_[capacity];
  std::size_t size_ = 0;
};

// Reads "key=value,key=value" into options; null and "" say nothing. False on an unknown key or value, and on a key that is given
// twice; fault then says which.
// The value of "report" is copied to report_room, and options.report points there; what does not fit is a fault, too.
[[nodiscard]] bool parse(const char* text, lockfast_options& options, options_fault& fault, std::span<char> report_room);

// Options whose unset fields are taken from fallback.
[[nodiscard]] lockfast_options merged(lockfast_options options, const lockfast_options& fallback);

}  // namespace lockfast::internal

#endif
