#include "tools/parser.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <limits>

namespace lockfast::tools {
namespace {

// Where the help's second column begins, so that its lines fit 80 columns.
constexpr int column_of_help = 26;

class given_usage : public CLI::Formatter {
 public:
  explicit given_usage(std::string line) : line_(std::move(line)) { column_width(column_of_help); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + line_ + "\n"; }

 private:
  std::string line_;
};

std::string spelling(const CLI::Option& option) {
  return option.get_lnames().empty() ? "-" + option.get_snames().front() : "--" + option.get_lnames().front();
}

// Without a description, which the help would show.
CLI::Validator silent(const CLI::Validator& check) { return CLI::Validator(check).description(""); }

}  // namespace

parameter parameter::type(const char* name) const { return parameter(of_->type_name(name)); }
parameter parameter::required() const { return parameter(of_->required()); }
parameter parameter::times(int count) const { return parameter(of_->expected(count)); }
parameter parameter::between(unsigned least, unsigned most) const {
  return parameter(of_->check(silent(CLI::Range(least, most))));
}
parameter parameter::not_negative() const {
  return parameter(of_->check(silent(CLI::Range(0, std::numeric_limits<int>::max()))));
}

command_part command_part::add_part(const std::string& name, const std::string& help) const {
  return command_part(is_->add_subcommand(name, help));
}

void command_part::add_flag(const char* name, bool& into, const char* help) const { is_->add_flag(name, into, help); }

parameter command_part::add(const char* name, std::string& into, const char* help) const {
  return parameter(is_->add_option(name, into, help));
}
parameter command_part::add(const char* name, std::vector<std::string>& into, const char* help) const {
  return parameter(is_->add_option(name, into, help));
}
parameter command_part::add(const char* name, std::optional<int>& into, const char* help) const {
  return parameter(is_->add_option(name, into, help));
}
parameter command_part::add(const char* name, std::optional<unsigned>& into, const char* help) const {
  return parameter(is_->add_option(name, into, help));
}

void command_part::footer(const std::string& text) const { is_->footer(text); }
void command_part::usage(const std::string& line) const { is_->formatter(std::make_shared<given_usage>(line)); }
void command_part::hide() const { is_->group(""); }
void command_part::allow_one_part() const { is_->require_subcommand(0, 1); }
void command_part::allow_any_words() const { is_->allow_extras(); }

bool command_part::is_chosen() const { return is_->parsed(); }
bool command_part::is_named(const std::string& name) const { return is_->check_name(name); }
std::string command_part::name() const { return is_->get_name(); }
std::string command_part::help() const { return is_->get_description(); }
std::string command_part::help_text() const { return is_->help(); }

std::string command_part::full_name() const {
  CLI::App* const parent = is_->get_parent();
  return parent == nullptr ? name() : command_part(parent).full_name() + " " + name();
}

std::vector<command_part> command_part::parts() const {
  std::vector<command_part> shown;
  for (CLI::App* one : is_->get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); })) {
    shown.emplace_back(one);
  }
  return shown;
}

std::vector<spelled_option> command_part::options() const {
  std::vector<spelled_option> shown;
  for (const CLI::Option* one :
       is_->get_options([](const CLI::Option* each) { return each->nonpositional() && !each->get_group().empty(); })) {
    shown.push_back({spelling(*one), one->get_description()});
  }
  return shown;
}

std::size_t command_part::required_words() const {
  return is_->get_options([](const CLI::Option* each) { return each->get_positional() && each->get_required(); }).size();
}

command_part command_part::chosen() const {
  command_part part = *this;
  while (!part.is_->get_subcommands().empty()) part = command_part(part.is_->get_subcommands().back());
  return part;
}

command_line::command_line(const std::string& name, const std::string& description, const std::string& version)
    : app_(std::make_unique<CLI::App>(description, name)) {
  app_->set_version_flag("--version", version, "Print the version");
  app_->set_help_flag("-h,--help", "Print this help");
  app_->get_formatter()->column_width(column_of_help);
}

command_line::~command_line() = default;

command_part command_line::whole() const { return command_part(app_.get()); }

std::optional<int> command_line::parse(int count, const char* const* words) {
  try {
    app_->parse(count, words);
    return std::nullopt;
  } catch (const CLI::Success& wanted) {
    return app_->exit(wanted, std::cout, std::cerr);
  } catch (const CLI::ParseError& fault) {
    std::string text = fault.what();
    std::ranges::replace(text, '\n', ' ');
    const bool are_unknown = dynamic_cast<const CLI::ExtrasError*>(&fault) != nullptr;
    throw bad_words{text, are_unknown, are_unknown || dynamic_cast<const CLI::ArgumentMismatch*>(&fault) != nullptr};
  }
}

std::vector<std::string> names_of(const std::vector<command_part>& parts) {
  std::vector<std::string> names;
  names.reserve(parts.size());
  for (const command_part& one : parts) names.push_back(one.name());
  return names;
}

std::vector<std::string> names_of(const std::vector<spelled_option>& options) {
  std::vector<std::string> names;
  names.reserve(options.size());
  for (const spelled_option& one : options) names.push_back(one.spelling);
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace lockfast::tools
