// parser.h - the words of the command line, which CLI11 parses. No other file than parser.cc includes that library: each that did
// took seconds to compile.
#ifndef TOOLS_PARSER_H
#define TOOLS_PARSER_H

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lockfast::tools {

// An option, or a word without a name, of a part. Each call says more of it.
class parameter {
 public:
  explicit parameter(CLI::Option* of) : of_(of) {}

  parameter type(const char* name) const;  // in the help
  parameter required() const;
  parameter times(int count) const;
  parameter between(unsigned least, unsigned most) const;
  parameter not_negative() const;

 private:
  CLI::Option* of_;
};

struct spelled_option {
  std::string spelling;
  std::string help;
};

// The command, a sub-command, or a sub-command's own. A handle: copies are of the same part.
class command_part {
 public:
  explicit command_part(CLI::App* is) : is_(is) {}

  command_part add_part(const std::string& name, const std::string& help) const;
  void add_flag(const char* name, bool& into, const char* help) const;
  parameter add(const char* name, std::string& into, const char* help) const;
  parameter add(const char* name, std::vector<std::string>& into, const char* help) const;
  parameter add(const char* name, std::optional<int>& into, const char* help) const;
  parameter add(const char* name, std::optional<unsigned>& into, const char* help) const;
  void footer(const std::string& text) const;
  // In place of the parser's own usage line, which leaves out words that stand before a part's name.
  void usage(const std::string& line) const;
  // In no help and no completion.
  void hide() const;
  // The words after one part's name are its own, whatever they are.
  void allow_one_part() const;
  void allow_any_words() const;

  bool is_chosen() const;
  bool is_named(const std::string& name) const;
  std::string name() const;
  std::string full_name() const;
  std::string help() const;
  // Those that are not hidden.
  std::vector<command_part> parts() const;
  std::vector<spelled_option> options() const;
  std::size_t required_words() const;
  // The part, however deep, that the words chose.
  command_part chosen() const;
  std::string help_text() const;

 private:
  friend class command_line;
  CLI::App* is_;
};

// What the parser says of bad words, and what kind of fault it is.
struct bad_words {
  std::string text;
  bool are_unknown = false;
  bool are_too_many = false;  // or unknown
};

// The whole command line.
class command_line {
 public:
  command_line(const std::string& name, const std::string& description, const std::string& version);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;
  ~command_line();

  command_part whole() const;
  // Puts the words into what the parameters name. An exit status if nothing is left to be done: help was printed. Throws bad_words.
  std::optional<int> parse(int count, const char* const* words);

 private:
  std::unique_ptr<CLI::App> app_;
};

std::vector<std::string> names_of(const std::vector<command_part>& parts);
std::vector<std::string> names_of(const std::vector<spelled_option>& options);
std::string joined(const std::vector<std::string>& words);  // by ", "

}  // namespace lockfast::tools

#endif
