// saved_names.h - the section of a saved vault, behind its shards, that holds the records' names and labels (docs/vault.md).
//
//    | kind: 1 | count | id, size of the name, size of the label, name, label | ... |
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_VAULT_SAVED_NAMES_H
#define LOCKFAST_BOOJUM_VAULT_SAVED_NAMES_H

#include <expected>

#include "boojum/vault/format.h"
#include "boojum/vault/vault_state.h"

namespace lockfast::internal {

// Writes the section, unless no record has a name or a label. Requires a closed gate.
[[nodiscard]] std::expected<void, memory_error> write_names(vault_state& from, chunk_writer& into);

// Reads the section that follows the shards, if there is one. damaged - of another kind; a description of no record, two of one, a
// name twice.
[[nodiscard]] std::expected<void, memory_error> read_names(chunk_reader& from, vault_state& into);

}  // namespace lockfast::internal

#endif
