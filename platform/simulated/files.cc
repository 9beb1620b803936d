// files.cc - files in the ordinary heap, which refuse on request, and no mercy for what is removed unwiped.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "platform/files.h"
#include "platform/simulated/simulated.h"

namespace lockfast {
namespace {

using platform::directory;
using platform::error;
using platform::file;
using simulated::call;

struct contents {
  std::vector<std::byte> bytes;
  bool synced = true;
  bool ours = false;  // in a directory of ours
  bool named = false;
  std::intptr_t holder = 0;  // the open file that holds it; 0 for none
  bool excused = false;      // what would have wiped it was refused
};

struct folder {
  bool ours = false;
  std::map<std::string, std::shared_ptr<contents>> files;
};

struct file_system {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<folder>> folders;
  std::map<std::intptr_t, std::shared_ptr<folder>> open_folders;
  std::map<std::intptr_t, std::shared_ptr<contents>> open_files;
  std::intptr_t next = 3;
};

file_system& the_files() {
  static file_system one;
  return one;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "simulated: %s\n", what);
  std::abort();
}

void require_wiped(const contents& of, const char* what) {
  if (!of.ours || of.excused) return;
  if (!of.synced || std::ranges::any_of(of.bytes, [](std::byte byte) { return byte != std::byte{0}; })) fail(what);
}

folder& at(file_system& in, directory which) {
  const auto found = in.open_folders.find(which.number);
  if (found == in.open_folders.end()) fail("a directory that is not open");
  return *found->second;
}

contents& at(file_system& in, file which) {
  const auto found = in.open_files.find(which.number);
  if (found == in.open_files.end()) fail("a file that is not open");
  return *found->second;
}

error open_folder(const char* path, bool ours, bool create, directory& out) {
  file_system& in = the_files();
  const std::scoped_lock held(in.mutex);
  if (simulated::refuses(call::file)) return EACCES;
  auto& found = in.folders[path];
  if (found == nullptr) {
    if (!create) return ENOENT;
    found = std::make_shared<folder>();
    found->ours = ours;
  }
  if (ours && !found->ours) return EPERM;
  out = {.number = in.next};
  in.open_folders[in.next++] = found;
  return 0;
}

file opened(file_system& in, const std::shared_ptr<contents>& what) {
  in.open_files[in.next] = what;
  return {.number = in.next++};
}

}  // namespace

namespace platform {

error default_directory(std::span<char, path_capacity> path) {
  std::snprintf(path.data(), path.size(), "/simulated");
  return 0;
}

bool is_separator(char character) { return character == '/'; }

error open_ours(const char* path, missing policy, directory& out) {
  return open_folder(path, true, policy == missing::create, out);
}

error open_any(const char* path, directory& out) { return open_folder(path, false, true, out); }

bool same(directory one, directory other) {
  file_system& in = the_files();
  const std::scoped_lock held(in.mutex);
  return &at(in, one) == &at(in, other);
}

void close(directory one) {
  file_system& in = the_files();
  const std::scoped_lock held(in.mutex);
  in.open_folders.erase(one.number);
}

error list(directory in, void (*visit)(void* context, const char* name), void* context) {
  std::vector<std::string> names;
  {
    const std::scoped_lock held(the_files().mutex);
    if (simulated::refuses(call::file)) return EIO;
    for (const auto& [name, each] : at(the_files(), in).files) names.push_back(name);
  }
  for (const std::string& name : names) visit(context, name.c_str());
  return 0;
}

error sync(directory) { return simulated::refuses(call::file) ? EIO : 0; }

error create_nameless(directory in, file& out) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EOPNOTSUPP;
  auto made = std::make_shared<contents>();
  made->ours = at(files, in).ours;
  out = opened(files, made);
  return 0;
}

error create_named(directory in, const char* name, file& out) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return ENOSPC;
  folder& where = at(files, in);
  auto& made = where.files[name];
  if (made != nullptr) return EEXIST;
  made = std::make_shared<contents>();
  made->ours = where.ours;
  made->named = true;
  out = opened(files, made);
  made->holder = out.number;
  return 0;
}

error create_unheld(directory in, const char* name, file& out) {
  const error refusal = create_named(in, name, out);
  const std::scoped_lock held(the_files().mutex);
  if (refusal == 0) at(the_files(), out).holder = 0;
  return refusal;
}

error open_named(directory in, const char* name, opening, file& out) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EIO;
  folder& where = at(files, in);
  const auto found = where.files.find(name);
  if (found == where.files.end()) return ENOENT;
  out = opened(files, found->second);
  return 0;
}

void close(file one) {
  if (one == file::none) return;
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  contents& of = at(files, one);
  if (!of.named) require_wiped(of, "a nameless file was closed that is not wiped");
  if (of.holder == one.number) of.holder = 0;
  files.open_files.erase(one.number);
}

error take_hold(file of) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EWOULDBLOCK;
  if (at(files, of).holder != 0) return EWOULDBLOCK;
  at(files, of).holder = of.number;
  return 0;
}

error still_named(directory in, const char* name, file of) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EIO;
  const folder& where = at(files, in);
  const auto found = where.files.find(name);
  return found != where.files.end() && found->second.get() == &at(files, of) ? 0 : ENOENT;
}

error read_at(file from, std::uint64_t offset, std::span<std::byte> out) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EIO;
  const contents& of = at(files, from);
  if (offset > of.bytes.size() || out.size() > of.bytes.size() - offset) return ENODATA;
  std::ranges::copy(std::span(of.bytes).subspan(static_cast<std::size_t>(offset), out.size()), out.begin());
  return 0;
}

error write_at(file to, std::uint64_t offset, std::span<const std::byte> bytes) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  contents& of = at(files, to);
  const bool refused = simulated::refuses(call::file);
  of.excused |= refused;
  // As on a full disk, a refused write has written a part.
  if (refused) bytes = bytes.first(bytes.size() / 2);
  const std::size_t end = static_cast<std::size_t>(offset) + bytes.size();
  if (of.bytes.size() < end) of.bytes.resize(end);
  std::ranges::copy(bytes, of.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  of.synced = false;
  return refused ? ENOSPC : 0;
}

error size_of(file of, std::uint64_t& size) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) {
    at(files, of).excused = true;
    return EIO;
  }
  size = at(files, of).bytes.size();
  return 0;
}

error sync(file of) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) {
    at(files, of).excused = true;
    return EIO;
  }
  at(files, of).synced = true;
  return 0;
}

void forget(file) {}

error rename_over(directory in, const char* from, const char* to, file) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EIO;
  folder& where = at(files, in);
  const auto found = where.files.find(from);
  if (found == where.files.end()) return ENOENT;
  const auto moved = found->second;
  if (!moved->synced) fail("a file took another's name before it was synced");
  if (const auto before = where.files.find(to); before != where.files.end()) {
    require_wiped(*before->second, "a file was replaced that is not wiped");
  }
  where.files.erase(from);
  where.files[to] = moved;
  return 0;
}

error remove(directory in, const char* name) {
  file_system& files = the_files();
  const std::scoped_lock held(files.mutex);
  if (simulated::refuses(call::file)) return EIO;
  folder& where = at(files, in);
  const auto found = where.files.find(name);
  if (found == where.files.end()) return ENOENT;
  require_wiped(*found->second, "a file was removed that is not wiped");
  where.files.erase(found);
  return 0;
}

}  // namespace platform

namespace simulated {

std::size_t files_left() {
  file_system& in = the_files();
  const std::scoped_lock held(in.mutex);
  std::size_t left = in.open_files.size();
  for (const auto& [path, each] : in.folders) left += each->ours ? each->files.size() : 0;
  return left;
}

std::span<std::byte> contents(std::string_view name) {
  file_system& in = the_files();
  const std::scoped_lock held(in.mutex);
  for (const auto& [path, each] : in.folders) {
    for (const auto& [known, found] : each->files) {
      if (name.empty() || known == name) return found->bytes;
    }
  }
  return {};
}

void clear_files() {
  file_system& in = the_files();
  const std::scoped_lock held(in.mutex);
  in.folders.clear();
  in.open_folders.clear();
  in.open_files.clear();
}

}  // namespace simulated
}  // namespace lockfast
