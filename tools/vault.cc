// vault.cc - `lockfast vault FILE ACTION`: the words of the command line. tools/vault/ has what is done.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/complete.h"
#include "tools/vault/request.h"

namespace lockfast::tools {
namespace {

struct action {
  CLI::App* parsed;
  int (*run)(const vault_request&);  // null: the one that runs a program
};

// The parser's own usage line leaves out FILE.
class given_usage : public CLI::Formatter {
 public:
  explicit given_usage(std::string line) : line_(std::move(line)) { column_width(column_of_help); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: lockfast vault " + line_ + "\n"; }

 private:
  std::string line_;
};

struct whole_request : vault_request {
  std::vector<action> actions;
};

CLI::Option* descriptor(CLI::App* part, const char* option, std::optional<int>& into, const char* help) {
  return part->add_option(option, into, help)->type_name("N")->check(CLI::Validator(CLI::NonNegativeNumber).description(""));
}

// words: what stands after FILE, the action first.
CLI::App* added(CLI::App* vault, whole_request& into, const std::string& words, const char* help,
                int (*run)(const vault_request&)) {
  CLI::App* const part = vault->add_subcommand(words.substr(0, words.find(' ')), help);
  part->formatter(std::make_shared<given_usage>("FILE " + words));
  descriptor(part, "--passphrase-fd", into.passphrase_fd, "Read the passphrase as a line of descriptor N");
  part->add_option("--pinentry", into.pinentry, "Ask for it by this program of GnuPG's protocol")->type_name("PROGRAM");
  into.actions.push_back({part, run});
  return part;
}

void takes_name(CLI::App* part, whole_request& into) {
  part->add_option("name", into.names, "Its name")->required()->expected(1)->type_name("NAME");
}

void takes_cost(CLI::App* part, whole_request& into) {
  part->add_option("--cost", into.cost, "Stretching takes 2^N KiB of memory: 10 to 20, 17 if new")
      ->type_name("N")
      ->check(CLI::Range(10U, 20U).description(""));
}

void add_actions(CLI::App* vault, whole_request& into) {
  takes_cost(added(vault, into, "new [OPTIONS]", "Make the file, without records", make_vault), into);

  CLI::App* const put = added(vault, into, "put NAME [OPTIONS]", "Put a secret into it", put_record);
  takes_name(put, into);
  put->add_flag("--replace", into.replace, "In the place of the record of this name");
  put->add_flag("--line", into.one_line, "The secret is one line, without its end");
  descriptor(put, "--fd", into.fd, "Read the secret from descriptor N");
  put->footer(
      "The secret is typed twice at a terminal; otherwise it is all of the standard input, 1 MiB\n"
      "at most. It is never an argument.");

  CLI::App* const get = added(vault, into, "get NAME [OPTIONS]", "Write a secret to a pipe or a file", get_record);
  takes_name(get, into);
  get->add_flag("--show", into.show, "To a terminal, too");
  descriptor(get, "--fd", into.fd, "To descriptor N, not to the standard output");

  added(vault, into, "list [OPTIONS]", "List the names, sorted", list_records)
      ->add_flag("--sizes", into.sizes, "And after each a tab and the bytes of its secret");
  added(vault, into, "remove NAME... [OPTIONS]", "Remove records", remove_records)
      ->add_option("names", into.names, "Their names")
      ->required()
      ->type_name("NAME");

  added(vault, into, "rename OLD NEW [OPTIONS]", "Give a record another name", rename_record)
      ->add_option("names", into.names, "The name it has, and the one it gets")
      ->required()
      ->expected(2)
      ->type_name("OLD NEW");

  CLI::App* const rekey = added(vault, into, "rekey [OPTIONS]", "Set another passphrase, or cost", rekey_vault);
  descriptor(rekey, "--new-passphrase-fd", into.new_passphrase_fd, "Read the new one as a line of descriptor N");
  takes_cost(rekey, into);

  added(vault, into, "verify [OPTIONS]", "Read all of it, and say whether it is whole", verify_vault)
      ->footer("Exit status: 0 it is whole, 1 it is damaged, 2 it could not be read.");

  CLI::App* const run =
      added(vault, into, "run NAME=WHERE... [OPTIONS] -- PROGRAM [ARGUMENT...]", "Run a program that gets records", nullptr);
  run->add_option("records", into.names, "A record, and the variable or the descriptor that it goes to")
      ->required()
      ->type_name("NAME=WHERE");
  run->footer(
      "WHERE is a variable, or a descriptor's number: NAME=3 is a pipe that the program reads, as\n"
      "/dev/fd/3 too. Prefer a descriptor: others see a variable in /proc/PID/environ.\n"
      "The program takes the place of the command, so its signals and exit status are its own.");
}

int run(const whole_request& wanted, const CLI::App& vault, const program_words& program) {
  const auto chosen =
      std::find_if(wanted.actions.begin(), wanted.actions.end(), [](const action& one) { return one.parsed->parsed(); });
  if (chosen == wanted.actions.end()) throw refusal("nothing is asked for; commands: " + joined(command_names(vault)));
  if (chosen->run == nullptr) return run_with_records(wanted, program.words);
  if (program.given) throw refusal("takes no program: leave out '--' and what follows it");
  return chosen->run(wanted);
}

}  // namespace

command vault_command(CLI::App& app, const program_words& program) {
  const auto wanted = std::make_shared<whole_request>();
  CLI::App* const parsed = app.add_subcommand("vault", "Keep secrets in a file, sealed under a passphrase");
  parsed->add_option("file", wanted->file, "The vault's file")->required()->type_name("FILE");
  parsed->formatter(std::make_shared<given_usage>("FILE COMMAND [OPTIONS]"));
  // Then a record, or a file, may have the name of a command.
  parsed->require_subcommand(0, 1);
  add_actions(parsed, *wanted);
  parsed->footer("`lockfast vault FILE COMMAND --help` tells more. The passphrase is asked for at the terminal.");
  return {parsed, [wanted, parsed, &program] { return run(*wanted, *parsed, program); }, true};
}

}  // namespace lockfast::tools
