// vault.cc - `lockfast vault FILE ACTION`: the words of the command line. tools/vault/ has what is done.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/vault/request.h"

namespace lockfast::tools {
namespace {

struct action {
  command_part parsed;
  int (*run)(const vault_request&);  // null: the one that runs a program
};

struct whole_request : vault_request {
  std::vector<action> actions;
};

void add_descriptor(const command_part& part, const char* option, std::optional<int>& into, const char* help) {
  part.add(option, into, help).type("N").not_negative();
}

// words: what stands after FILE, the action first.
command_part added(const command_part& vault, whole_request& into, const std::string& words, const char* help,
                   int (*run)(const vault_request&)) {
  const command_part part = vault.add_part(words.substr(0, words.find(' ')), help);
  part.usage("lockfast vault FILE " + words);
  add_descriptor(part, "--passphrase-fd", into.passphrase_fd, "Read the passphrase as a line of descriptor N");
  part.add("--pinentry", into.pinentry, "Ask for it by this program of GnuPG's protocol").type("PROGRAM");
  into.actions.push_back({part, run});
  return part;
}

void takes_name(const command_part& part, whole_request& into) {
  part.add("name", into.names, "Its name").required().times(1).type("NAME");
}

void takes_cost(const command_part& part, whole_request& into) {
  part.add("--cost", into.cost, "Stretching takes 2^N KiB of memory: 10 to 20, 17 if new").type("N").between(10, 20);
}

void add_actions(const command_part& vault, whole_request& into) {
  takes_cost(added(vault, into, "new [OPTIONS]", "Make the file, without records", make_vault), into);

  const command_part put = added(vault, into, "put NAME [OPTIONS]", "Put a secret into it", put_record);
  takes_name(put, into);
  put.add_flag("--replace", into.replace, "In the place of the record of this name");
  put.add_flag("--line", into.one_line, "The secret is one line, without its end");
  add_descriptor(put, "--fd", into.fd, "Read the secret from descriptor N");
  put.footer(
      "The secret is typed twice at a terminal; otherwise it is all of the standard input, 1 MiB\n"
      "at most. It is never an argument.");

  const command_part get = added(vault, into, "get NAME [OPTIONS]", "Write a secret to a pipe or a file", get_record);
  takes_name(get, into);
  get.add_flag("--show", into.show, "To a terminal, too");
  add_descriptor(get, "--fd", into.fd, "To descriptor N, not to the standard output");

  added(vault, into, "list [OPTIONS]", "List the names, sorted", list_records)
      .add_flag("--sizes", into.sizes, "And after each a tab and the bytes of its secret");
  added(vault, into, "remove NAME... [OPTIONS]", "Remove records", remove_records)
      .add("names", into.names, "Their names")
      .required()
      .type("NAME");

  added(vault, into, "rename OLD NEW [OPTIONS]", "Give a record another name", rename_record)
      .add("names", into.names, "The name it has, and the one it gets")
      .required()
      .times(2)
      .type("OLD NEW");

  const command_part rekey = added(vault, into, "rekey [OPTIONS]", "Set another passphrase, or cost", rekey_vault);
  add_descriptor(rekey, "--new-passphrase-fd", into.new_passphrase_fd, "Read the new one as a line of descriptor N");
  takes_cost(rekey, into);

  added(vault, into, "verify [OPTIONS]", "Read all of it, and say whether it is whole", verify_vault)
      .footer("Exit status: 0 it is whole, 1 it is damaged, 2 it could not be read.");

  const command_part run =
      added(vault, into, "run NAME=WHERE... [OPTIONS] -- PROGRAM [ARGUMENT...]", "Run a program that gets records", nullptr);
  run.add("records", into.names, "A record, and the variable or the descriptor that it goes to").required().type("NAME=WHERE");
  run.footer(
      "WHERE is a variable, or a descriptor's number: NAME=3 is a pipe that the program reads, as\n"
      "/dev/fd/3 too. Prefer a descriptor: others see a variable in /proc/PID/environ.\n"
      "The program takes the place of the command, so its signals and exit status are its own.");
}

int run(const whole_request& wanted, const command_part& vault, const program_words& program) {
  const auto chosen =
      std::find_if(wanted.actions.begin(), wanted.actions.end(), [](const action& one) { return one.parsed.is_chosen(); });
  if (chosen == wanted.actions.end()) throw refusal("nothing is asked for; commands: " + joined(names_of(vault.parts())));
  if (chosen->run == nullptr) return run_with_records(wanted, program.words);
  if (program.given) throw refusal("takes no program: leave out '--' and what follows it");
  return chosen->run(wanted);
}

}  // namespace

command vault_command(const command_part& whole, const program_words& program) {
  const auto wanted = std::make_shared<whole_request>();
  const command_part parsed = whole.add_part("vault", "Keep secrets in a file, sealed under a passphrase");
  parsed.add("file", wanted->file, "The vault's file").required().type("FILE");
  parsed.usage("lockfast vault FILE COMMAND [OPTIONS]");
  // Then a record, or a file, may have the name of a command.
  parsed.allow_one_part();
  add_actions(parsed, *wanted);
  parsed.footer("`lockfast vault FILE COMMAND --help` tells more. The passphrase is asked for at the terminal.");
  return {parsed, [wanted, parsed, &program] { return run(*wanted, parsed, program); }, true};
}

}  // namespace lockfast::tools
