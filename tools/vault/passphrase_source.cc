#include "tools/vault/passphrase_source.h"

#include <lockfast/secret_input.hpp>

#include "tools/command.h"
#include "tools/run/program_file.h"
#include "tools/terminal.h"
#include "tools/vault/explain.h"
#include "tools/vault/pinentry.h"
#include "tools/vault/prompt.h"
#include "tools/vault/secret_output.h"

namespace lockfast::tools {
namespace {

passphrase taken(buffer<std::byte>&& typed, const std::string& file) {
  return need(passphrase::take(std::move(typed), {}), file);
}

passphrase read_line(int descriptor, const std::string& file) {
  constexpr std::size_t max_line = 65536;  // bytes
  auto line = secret_input::read(descriptor, {.until = '\n', .max = max_line});
  if (line) return taken(std::move(*line), file);
  const std::string number = std::to_string(descriptor);
  if (line.error() == memory_error::limit_exceeded) {
    throw refusal("the first line of descriptor " + number + " has more than " + size_text(max_line) +
                  "; write the passphrase there as one line");
  }
  if (line.error() == memory_error::zero_size) {
    throw refusal("descriptor " + number + " has no passphrase; write it there as one line");
  }
  refuse(line.error(), file);
}

}  // namespace

passphrase_source::passphrase_source(const vault_request& wanted)
    : file_(wanted.file), descriptor_(wanted.passphrase_fd), pinentry_(wanted.pinentry) {
  if (descriptor_) require_inherited(*descriptor_, "--passphrase-fd");
  if (descriptor_) require_no_terminal(*descriptor_, "--passphrase-fd");
  if (!descriptor_) find_asker("the passphrase", "--passphrase-fd");
}

// Somebody has to be there who can be asked.
void passphrase_source::find_asker(const std::string& what, const std::string& option) {
  if (!pinentry_.empty() || has_terminal()) return;
  const auto found = found_on_path("pinentry");
  if (!found) throw refusal("there is no terminal to ask for " + what + "; give it by " + option + " N, or install a pinentry");
  pinentry_ = *found;
}

passphrase passphrase_source::present(bool was_wrong) const {
  if (descriptor_) return read_line(*descriptor_, file_);
  const std::string prompt = "Passphrase of " + shown(file_);
  if (pinentry_.empty()) return taken(ask(was_wrong ? "Wrong. " + prompt : prompt), file_);
  return taken(
      pinentry(pinentry_, "--passphrase-fd").ask({.description = prompt, .error = was_wrong ? "That passphrase is wrong" : ""}),
      file_);
}

passphrase passphrase_source::fresh(std::optional<int> descriptor, const std::string& option) {
  if (descriptor) {
    require_inherited(*descriptor, option);
    require_no_terminal(*descriptor, option);
    return read_line(*descriptor, file_);
  }
  find_asker("the new passphrase", option);
  const std::string prompt = "New passphrase of " + shown(file_);
  if (pinentry_.empty()) return taken(ask_twice(prompt), file_);
  return taken(pinentry(pinentry_, option).ask_twice({.description = prompt, .error = ""}), file_);
}

}  // namespace lockfast::tools
