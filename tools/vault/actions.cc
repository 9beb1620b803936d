// actions.cc - what `lockfast vault FILE` does with records.
#include <fcntl.h>
#include <lockfast/lockfast.hpp>
#include <lockfast/secret_input.hpp>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <iostream>
#include <new>
#include <optional>
#include <string_view>

#include "tools/command.h"
#include "tools/terminal.h"
#include "tools/vault/explain.h"
#include "tools/vault/prompt.h"
#include "tools/vault/request.h"
#include "tools/vault/secret_output.h"
#include "tools/vault/vault_file.h"

namespace lockfast::tools {
namespace {

constexpr std::size_t max_secret = 1 << 20;  // bytes; more is a file, whose key can be a record

// What lists and prompts can show, and a shell can say.
void require_name(const std::string& name) {
  if (name.empty()) throw refusal("a name needs at least one character");
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (control_at_start(std::string_view(name).substr(at)) == 0) continue;
    throw refusal("the name '" + shown(name) + "' has a control character; leave it out");
  }
}

buffer<std::byte> read_secret(int descriptor, bool one_line) {
  const auto until = one_line ? std::optional<char>('\n') : std::nullopt;
  auto secret = secret_input::read(descriptor, {.until = until, .max = max_secret});
  if (secret) return std::move(*secret);
  const std::string from = descriptor == STDIN_FILENO ? "standard input" : "descriptor " + std::to_string(descriptor);
  switch (secret.error()) {
    case memory_error::zero_size: throw refusal(from + " has no secret; write it there");
    case memory_error::limit_exceeded:
      throw refusal(from + " has more than " + size_text(max_secret) + "; keep it in a file, and the file's key here");
    default: refuse(secret.error(), from);
  }
}

buffer<std::byte> asked_for_secret(const vault_request& wanted, vault_file& file) {
  const bool is_typed = !wanted.fd && isatty(STDIN_FILENO) != 0;
  if (wanted.fd) require_inherited(*wanted.fd, "--fd");
  if (wanted.fd) require_no_terminal(*wanted.fd, "--fd");
  // So that a wrong passphrase, or a name that is taken, is told of before the secret is typed.
  if (is_typed || file.asks_somebody()) {
    file.open();
    if (!wanted.replace && file.records().find(wanted.names[0])) {
      throw refusal("a record has the name '" + shown(wanted.names[0]) + "' already; give --replace, or another name");
    }
  }
  if (is_typed) return ask_twice("Secret of " + shown(wanted.names[0]));
  return read_secret(wanted.fd.value_or(STDIN_FILENO), wanted.one_line);
}

// A name of the file, which is sealed there and in locked memory here. A string would keep a short one in itself, on the stack.
using line = vector<char>;

line line_of(const vault& records, const vault::description& of, bool with_size) {
  line text;
  append_shown(text, of.name);
  if (with_size) {
    for (const char each : '\t' + std::to_string(records.size_of(of.which).value_or(0))) text.push_back(each);
  }
  text.push_back('\n');
  return text;
}

void for_each_name(const vault& records, const std::string& file, const std::function<void(const vault::description&)>& look) {
  need(records.for_each_described([&](const vault::description& each) {
    if (!each.name.empty()) look(each);
  }),
       file);
}

// Nothing where they take more memory than may be locked.
std::optional<vector<line>> sorted_lines(const vault& records, bool with_sizes, const std::string& file) {
  std::optional<vector<line>> lines(std::in_place);
  for_each_name(records, file, [&](const vault::description& each) {
    if (!lines) return;
    try {
      lines->push_back(line_of(records, each, with_sizes));
    } catch (const std::bad_alloc&) {
      lines.reset();
    }
  });
  if (lines) std::ranges::sort(*lines, {}, [](const line& each) { return std::string_view(each.data(), each.size()); });
  return lines;
}

// The failure, if there is one: no exception goes through the library.
std::exception_ptr written(const line& text) {
  try {
    write_whole(STDOUT_FILENO, std::as_bytes(std::span(text)));
    return nullptr;
  } catch (const refusal&) {
    return std::current_exception();
  }
}

}  // namespace

int make_vault(const vault_request& wanted) {
  vault_file(wanted).make(wanted.cost);
  return all_well;
}

int put_record(const vault_request& wanted) {
  const std::string& name = wanted.names[0];
  require_name(name);
  vault_file file(wanted);
  file.take_line();
  const auto secret = asked_for_secret(wanted, file);
  file.change([&](vault& records) {
    const auto there = records.find(name);
    if (!there && there.error() != memory_error::not_found) refuse(there.error(), file.path());
    if (!there) {
      (void)need(records.insert(name, secret), file.path());
    } else if (wanted.replace) {
      need(records.replace(*there, secret), file.path());
    } else {
      throw refusal("a record has the name '" + shown(name) + "' already; give --replace, or another name");
    }
  });
  return all_well;
}

int get_record(const vault_request& wanted) {
  const int to = wanted.fd.value_or(STDOUT_FILENO);
  const bool is_terminal = isatty(to) != 0;
  if (wanted.fd) require_inherited(to, "--fd");
  if (is_terminal && !wanted.show) {
    throw refusal("the output is a terminal, which would show the secret; give --show, or send it to a pipe, a file or --fd N");
  }
  vault_file file(wanted);
  file.open();
  const auto secret = need(file.records().open(file.id_of(wanted.names[0])), file.path());
  if (is_terminal && !is_plain_text(secret.span())) {
    throw refusal(
        "the secret is no plain text, and a terminal would obey some of its bytes; send it to a pipe, a file or --fd N");
  }
  write_whole(to, secret.span());
  if (is_terminal && *(secret.end() - 1) != std::byte{'\n'}) write_whole(to, std::as_bytes(std::span("\n", 1)));
  return all_well;
}

int list_records(const vault_request& wanted) {
  vault_file file(wanted);
  file.open();
  const vault& records = file.records();
  std::size_t count = 0;
  if (const auto lines = sorted_lines(records, wanted.sizes, file.path())) {
    for (const line& each : *lines) write_whole(STDOUT_FILENO, std::as_bytes(std::span(each)));
    count = lines->size();
  } else {
    std::cerr << "lockfast vault list: not sorted, since the names take more than may be locked; pipe it to sort\n";
    std::exception_ptr failure;
    for_each_name(records, file.path(), [&](const vault::description& each) {
      if (failure == nullptr) failure = written(line_of(records, each, wanted.sizes));
      ++count;
    });
    if (failure != nullptr) std::rethrow_exception(failure);
  }
  if (count < records.size()) {
    std::cerr << "lockfast vault list: " << records.size() - count << " more records have no name; the program that made them"
              << " knows their ids\n";
  }
  return all_well;
}

int remove_records(const vault_request& wanted) {
  vault_file file(wanted);
  file.change([&](vault& records) {
    for (const std::string& name : wanted.names) need(records.erase(file.id_in(records, name)), file.path());
  });
  return all_well;
}

int rename_record(const vault_request& wanted) {
  const std::string& before = wanted.names[0];
  const std::string& after = wanted.names[1];
  require_name(after);
  vault_file file(wanted);
  file.change([&](vault& records) {
    const auto done = records.rename(file.id_in(records, before), after);
    if (!done && done.error() == memory_error::name_taken) {
      throw refusal("a record has the name '" + shown(after) + "' already; remove it first, or give another name");
    }
    need(std::expected<void, memory_error>(done), file.path());
  });
  return all_well;
}

int rekey_vault(const vault_request& wanted) {
  vault_file(wanted).rekey(wanted.new_passphrase_fd, wanted.cost);
  return all_well;
}

int verify_vault(const vault_request& wanted) {
  const auto damaged = [&](memory_error reason) {
    if (reason != memory_error::damaged) refuse(reason, wanted.file);
    const std::string what = explained(reason, wanted.file);
    std::cerr << "lockfast vault verify: " << what << '\n';
    return found_something;
  };
  const auto said = vault::inspect(wanted.file);
  if (!said) return damaged(said.error());
  vault_file file(wanted);
  if (const auto opened = file.try_open(); !opened) return damaged(opened.error());
  const bool is_scrypt = said->function == vault::kdf::scrypt;
  const std::uint64_t memory = is_scrypt ? (128ULL << said->cost) * said->block : 1024ULL << said->cost;
  const auto counted = [](std::uint64_t count, const char* of) { return std::to_string(count) + of + (count == 1 ? "" : "s"); };
  std::cout << shown(file.path()) << ": whole, " << counted(file.records().size(), " record") << ", saved "
            << counted(file.records().saves(), " time") << ", format " << said->format << ", "
            << (is_scrypt ? "scrypt" : "Argon2id") << " with " << size_text(memory) << '\n';
  return all_well;
}

}  // namespace lockfast::tools
