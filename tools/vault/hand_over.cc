// hand_over.cc - `lockfast vault FILE run`: this process becomes a program that has records, in its environment or by descriptors.
//
// The system copies the environment out of locked memory into the new program's; a pipe's bytes are the kernel's until they are read.
// So no copy is made on the way.
#include <fcntl.h>
#include <lockfast/secret.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iostream>
#include <string_view>

#include "tools/command.h"
#include "tools/vault/explain.h"
#include "tools/vault/request.h"
#include "tools/vault/vault_file.h"

namespace lockfast::tools {
namespace {

constexpr int max_descriptor = 255;

struct hand_over {
  std::string name;      // of the record
  std::string variable;  // or empty
  int descriptor = -1;
};

bool is_variable(std::string_view text) {
  const auto is_letter = [](char each) { return each == '_' || (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z'); };
  return !text.empty() && is_letter(text[0]) &&
         std::ranges::all_of(text, [&](char each) { return is_letter(each) || (each >= '0' && each <= '9'); });
}

// NAME=VARIABLE or NAME=NUMBER; a name may have '=' in it.
hand_over parsed(const std::string& word) {
  const std::size_t at = word.rfind('=');
  if (at == std::string::npos || at == 0) {
    throw refusal("'" + shown(word) + "' is no NAME=WHERE; write: lockfast vault FILE run NAME=3 or NAME=VARIABLE -- PROGRAM");
  }
  hand_over one{word.substr(0, at), word.substr(at + 1), -1};
  if (is_variable(one.variable)) return one;
  const char* const end = one.variable.data() + one.variable.size();
  const auto read = std::from_chars(one.variable.data(), end, one.descriptor);
  const bool is_number = read.ec == std::errc() && read.ptr == end;
  if (!is_number || one.descriptor < 0 || one.descriptor == STDOUT_FILENO || one.descriptor == STDERR_FILENO ||
      one.descriptor > max_descriptor) {
    throw refusal("'" + shown(one.variable) + "' is neither a variable (letters, digits, _) nor a descriptor (0, or 3 to " +
                  std::to_string(max_descriptor) + "); write NAME=VARIABLE or NAME=3");
  }
  one.variable.clear();
  return one;
}

// "VARIABLE=secret" with the 0 at its end, in locked memory.
buffer<std::byte> environment_entry(const hand_over& one, std::span<const std::byte> secret) {
  if (std::ranges::find(secret, std::byte{0}) != secret.end()) {
    throw refusal("the record '" + shown(one.name) +
                  "' has a byte 0, which no variable can hold; hand it over as a descriptor: " + shown(one.name) + "=3");
  }
  auto entry = buffer<std::byte>::filled(one.variable.size() + 1 + secret.size() + 1, [&](std::span<std::byte> out) {
    const auto name = std::as_bytes(std::span(one.variable));
    auto at = std::ranges::copy(name, out.begin()).out;
    *at++ = std::byte{'='};
    std::ranges::copy(secret, at);
  });
  return need(std::move(entry), one.name);
}

// A pipe that has the secret, and then its end. Its descriptor is `least` or higher.
int filled_pipe(const hand_over& one, std::span<const std::byte> secret, int least) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw refusal("no pipe could be made; close descriptors and try again");
  constexpr std::size_t usual_room = 65536;
  if (secret.size() > usual_room) fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(secret.size()));
  const ssize_t done = write(ends[1], secret.data(), secret.size());
  close(ends[1]);
  const int from = fcntl(ends[0], F_DUPFD_CLOEXEC, least);
  close(ends[0]);
  if (done != static_cast<ssize_t>(secret.size())) {
    throw refusal("the record '" + shown(one.name) + "' does not fit into a pipe (/proc/sys/fs/pipe-max-size); use: get --fd");
  }
  if (from < 0) throw refusal("no descriptor is left; raise the limit on them (ulimit -n)");
  // The program reads until the end, and waits for nothing.
  fcntl(from, F_SETFL, 0);
  return from;
}

bool has_variable(const std::vector<hand_over>& all, const char* entry) {
  const std::string_view name = std::string_view(entry).substr(0, std::string_view(entry).find('='));
  return std::ranges::any_of(all, [&](const hand_over& one) { return one.variable == name; });
}

void require_different(const std::vector<hand_over>& all) {
  for (auto one = all.begin(); one != all.end(); ++one) {
    const auto same = std::find_if(all.begin(), one, [&](const hand_over& other) {
      return other.variable == one->variable && other.descriptor == one->descriptor;
    });
    if (same != one) throw refusal("two records go to one place; give each a variable or a descriptor of its own");
  }
}

// The passphrase's descriptor is not the program's. Of a standard stream the rest is, but a file could be read again from its start.
void withhold(int descriptor) {
  if (descriptor > STDERR_FILENO) {
    close(descriptor);
    return;
  }
  if (lseek(descriptor, 0, SEEK_CUR) < 0) return;  // a pipe: what was read is gone
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, descriptor) < 0)
    throw refusal("/dev/null cannot be opened, so that the program could read the passphrase");
  close(nothing);
}

}  // namespace

int run_with_records(const vault_request& wanted, const std::vector<std::string>& words) {
  if (words.empty())
    throw refusal("no program is given; write: lockfast vault FILE run NAME=WHERE... -- PROGRAM [ARGUMENT...]");
  std::vector<hand_over> all;
  all.reserve(wanted.names.size());
  for (const std::string& word : wanted.names) all.push_back(parsed(word));
  require_different(all);

  vault_file file(wanted);
  file.open();
  if (wanted.passphrase_fd) withhold(*wanted.passphrase_fd);
  std::vector<buffer<std::byte>> entries;
  std::vector<int> pipes;
  // No pipe is in the way of one that is handed over.
  const int beyond = std::ranges::max(all, {}, &hand_over::descriptor).descriptor + 1;
  for (const hand_over& one : all) {
    const auto secret = need(file.records().open(file.id_of(one.name)), file.path());
    if (one.descriptor < 0) {
      entries.push_back(environment_entry(one, secret.span()));
    } else {
      pipes.push_back(filled_pipe(one, secret.span(), std::max(beyond, STDERR_FILENO + 1)));
    }
  }
  std::vector<buffer<std::byte>::read_view> opened;
  std::vector<char*> environment, arguments;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!has_variable(all, *entry)) environment.push_back(*entry);
  }
  for (const auto& entry : entries) {
    opened.push_back(entry.read());
    environment.push_back(const_cast<char*>(reinterpret_cast<const char*>(opened.back().data())));
  }
  environment.push_back(nullptr);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  auto pipe = pipes.begin();
  for (const hand_over& one : all) {
    if (one.descriptor >= 0 && dup2(*pipe++, one.descriptor) < 0) {
      throw refusal("descriptor " + std::to_string(one.descriptor) +
                    " cannot be had; raise the limit on descriptors (ulimit -n)");
    }
  }
  execvpe(arguments[0], arguments.data(), environment.data());
  const int error = errno;
  std::cerr << "lockfast vault run: " << shown(words[0]) << ": " << std::strerror(error)
            << (error == E2BIG ? "; hand the record over as a descriptor: NAME=3\n" : "; name a program that can be run\n");
  return error == ENOENT ? 127 : 126;
}

}  // namespace lockfast::tools
