// passphrase_source.h - where the passphrase of a vault comes from: a descriptor, a pinentry, or the terminal.
#ifndef TOOLS_VAULT_PASSPHRASE_SOURCE_H
#define TOOLS_VAULT_PASSPHRASE_SOURCE_H

#include <lockfast/passphrase.hpp>

#include <optional>
#include <string>

#include "tools/vault/request.h"

namespace lockfast::tools {

class passphrase_source {
 public:
  // The descriptor, if one is given; otherwise the pinentry, if one is named; otherwise the terminal; otherwise a pinentry that is
  // found. Throws refusal where there is none of them.
  explicit passphrase_source(const vault_request& wanted);

  // Whether a person answers, who can be asked again.
  [[nodiscard]] bool asks_somebody() const { return !descriptor_; }
  [[nodiscard]] std::optional<int> descriptor() const { return descriptor_; }

  // The passphrase that the file has.
  [[nodiscard]] passphrase present(bool was_wrong) const;
  // One that the file will have. descriptor: where a line of it is, in place of asking; option: what names that descriptor.
  [[nodiscard]] passphrase fresh(std::optional<int> descriptor, const std::string& option);

 private:
  void find_asker(const std::string& what, const std::string& option);

  std::string file_;
  std::optional<int> descriptor_;
  std::string pinentry_;  // empty: the terminal
};

}  // namespace lockfast::tools

#endif
