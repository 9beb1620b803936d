// request.h - what the command line asks of a vault file.
#ifndef TOOLS_VAULT_REQUEST_H
#define TOOLS_VAULT_REQUEST_H

#include <optional>
#include <string>
#include <vector>

namespace lockfast::tools {

struct vault_request {
  std::string file;
  std::vector<std::string> names;        // of records; for `run` NAME=VARIABLE or NAME=DESCRIPTOR
  std::optional<int> passphrase_fd;      // a line of it is the passphrase
  std::optional<int> new_passphrase_fd;  // the same for the one that `rekey` sets
  std::string pinentry;                  // the program, if one is asked for
  std::optional<int> fd;                 // where `put` reads the secret, or `get` writes it
  std::optional<unsigned> cost;          // as in vault::save_options
  bool one_line = false;                 // `put`: a line is the secret, without its end
  bool replace = false;                  // `put`: in the place of the record of this name
  bool show = false;                     // `get`: on a terminal too
  bool sizes = false;                    // `list`
};

// The actions, one for each word after FILE. Each returns the exit status and throws refusal.
int make_vault(const vault_request& wanted);
int put_record(const vault_request& wanted);
int get_record(const vault_request& wanted);
int list_records(const vault_request& wanted);
int remove_records(const vault_request& wanted);
int rename_record(const vault_request& wanted);
int rekey_vault(const vault_request& wanted);
int verify_vault(const vault_request& wanted);
// Becomes the program; returns only if that could not be started.
int run_with_records(const vault_request& wanted, const std::vector<std::string>& words);

}  // namespace lockfast::tools

#endif
