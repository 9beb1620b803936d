// files.cc - files as POSIX has them, and O_TMPFILE where the system has it.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "platform/errno_saver.h"
#include "platform/files.h"
#include "platform/posix/opened.h"
#include "platform/posix/pages.h"
#include "platform/posix/signals.h"

namespace lockfast::platform {
namespace {

static_assert(sizeof(off_t) >= 8, "an offset of 64 bits would be cut");

constexpr int file_flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t ours_only = 0600;
constexpr mode_t ours_only_directory = 0700;

// A directory that a variable names, when it is an absolute path and we may create files there.
const char* directory_of(const char* variable) {
  const char* const value = trusted_variable(variable);
  return value != nullptr && value[0] == '/' && ::access(value, W_OK | X_OK) == 0 ? value : nullptr;
}

// Opens what is there, a symbolic link only where following allows it.
error open_at(const char* path, int following, directory& out) {
  const int descriptor = ::open(path, directory_flags | following);
  return descriptor < 0 ? errno : take_over(descriptor, out);
}

// The path without what it may have behind its last part, "/" and "/.": the system would follow a link in front of that.
error bare_path(const char* path, std::span<char, path_capacity> out) {
  std::size_t length = std::strlen(path);
  for (;;) {
    if (length > 1 && path[length - 1] == '/') {
      --length;
    } else if (length > 2 && path[length - 1] == '.' && path[length - 2] == '/') {
      length -= 2;
    } else {
      break;
    }
  }
  if (length >= out.size()) return ENAMETOOLONG;
  std::memcpy(out.data(), path, length);
  out[length] = 0;
  return 0;
}

// Nobody else may look into it or put files there.
bool is_ours(directory one) {
  struct stat found = {};
  return fstat(descriptor_of(one), &found) == 0 && found.st_uid == geteuid() && (found.st_mode & 077) == 0;
}

// 0, or ENOENT when the name is another file's or nobody's.
error is_name_of(directory in, const char* name, const file& of) {
  struct stat named = {};
  const int folder = descriptor_of(in);
  if (folder < 0 || descriptor_of(of) < 0) return EBADF;
  if (fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  return static_cast<std::uint64_t>(named.st_dev) == of.device && static_cast<std::uint64_t>(named.st_ino) == of.inode ? 0
                                                                                                                       : ENOENT;
}

// Calls again what a signal interrupted.
template <class Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// Creates a file and opens it. The mode does not depend on the umask of the program.
error create_at(directory in, const char* name, int flags, file& out) {
  const int folder = descriptor_of(in);
  if (folder < 0) return EBADF;
  const int descriptor = uninterrupted([&] { return openat(folder, name, O_RDWR | O_CLOEXEC | flags, ours_only); });
  if (descriptor < 0) return errno;
  error refusal = result_of(fchmod(descriptor, ours_only));
  if (refusal != 0) {
    (void)::close(descriptor);
  } else {
    refusal = take_over(descriptor, out);
  }
  if (refusal != 0 && (flags & O_CREAT) != 0) (void)unlinkat(folder, name, 0);
  return refusal;
}

// macOS keeps what fsync gives out in the disk's own memory, and has another call for what is to be durable.
error make_durable(int descriptor) {
  if (descriptor < 0) return EBADF;
#if defined(F_FULLFSYNC)
  if (uninterrupted([&] { return fcntl(descriptor, F_FULLFSYNC); }) == 0) return 0;
#endif
  return result_of(uninterrupted([&] { return fsync(descriptor); }));
}

}  // namespace

error default_directory(std::span<char, path_capacity> path) {
  const errno_saver kept;
  const char* base = directory_of("XDG_RUNTIME_DIR");
  if (base == nullptr) base = directory_of("TMPDIR");
  if (base == nullptr) base = "/tmp";
  const int length = snprintf(path.data(), path.size(), "%s/lockfast-%lu", base, static_cast<unsigned long>(geteuid()));
  return length < 0 || static_cast<std::size_t>(length) >= path.size() ? ENAMETOOLONG : 0;
}

bool is_separator(char character) { return character == '/'; }

error open_ours(const char* path, missing policy, directory& out) {
  const errno_saver kept;
  std::array<char, path_capacity> bare;
  if (const error refusal = bare_path(path, bare); refusal != 0) return refusal;
  if (policy == missing::create) {
    if (mkdir(bare.data(), ours_only_directory) == 0) {
      // The umask may have taken a right of ours away.
      if (fchmodat(AT_FDCWD, bare.data(), ours_only_directory, 0) != 0) return errno;
    } else if (errno != EEXIST) {
      return errno;
    }
  }
  if (const error refusal = open_at(bare.data(), O_NOFOLLOW, out); refusal != 0) return refusal;
  if (is_ours(out)) return 0;
  close(out);
  out = directory::none;
  return EPERM;
}

error open_any(const char* path, directory& out) {
  const errno_saver kept;
  return open_at(path, 0, out);
}

bool same(directory one, directory other) {
  const errno_saver kept;
  return one.device == other.device && one.inode == other.inode && descriptor_of(one) >= 0 && descriptor_of(other) >= 0;
}

void close(directory one) {
  const errno_saver kept;
  if (const int descriptor = descriptor_of(one); descriptor >= 0) (void)::close(descriptor);
}

error list(directory in, void (*visit)(void* context, const char* name), void* context) {
  const errno_saver kept;
  // A descriptor of its own: the place in the directory belongs to whoever opened it.
  const int folder = descriptor_of(in);
  if (folder < 0) return EBADF;
  const int descriptor = openat(folder, ".", directory_flags);
  if (descriptor < 0) return errno;
  DIR* const entries = fdopendir(descriptor);
  if (entries == nullptr) {
    const error refusal = errno;
    (void)::close(descriptor);
    return refusal;
  }
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(entries);
    if (entry == nullptr) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) visit(context, entry->d_name);
  }
  const error refusal = errno;
  (void)closedir(entries);
  return refusal;
}

error sync(directory in) {
  const errno_saver kept;
  return make_durable(descriptor_of(in));
}

error create_nameless(directory in, file& out) {
  const errno_saver kept;
#if defined(O_TMPFILE)
  const error refusal = create_at(in, ".", O_TMPFILE | O_EXCL, out);
  // A kernel that does not know the flag sees an attempt to open a directory for writing.
  return refusal == EISDIR || refusal == ENOENT || refusal == EINVAL ? EOPNOTSUPP : refusal;
#else
  (void)in;
  (void)out;
  return EOPNOTSUPP;
#endif
}

// Between its creation and its lock somebody else may take the file for a left-over and remove it: then its lock is taken, or
// the name is no longer its. Either way the name is not ours to remove: it may be the next one's already.
error create_named(directory in, const char* name, file& out) {
  const errno_saver kept;
  file made = file::none;
  if (const error refusal = create_at(in, name, O_CREAT | O_EXCL | file_flags, made); refusal != 0) return refusal;
  const error refusal = take_hold(made);
  if (refusal == 0 && is_name_of(in, name, made) == 0) {
    out = made;
    return 0;
  }
  // A file system that has no such locks has nobody who took it either.
  if (refusal == ENOLCK) (void)remove(in, name);
  close(made);
  return refusal == ENOLCK ? ENOLCK : EAGAIN;
}

error create_unheld(directory in, const char* name, file& out) {
  const errno_saver kept;
  return create_at(in, name, O_CREAT | O_EXCL | file_flags, out);
}

error open_named(directory in, const char* name, opening how, file& out) {
  const errno_saver kept;
  const int access = how == opening::read ? O_RDONLY : O_RDWR;
  const int folder = descriptor_of(in);
  if (folder < 0) return EBADF;
  const int descriptor = uninterrupted([&] { return openat(folder, name, access | O_NONBLOCK | file_flags); });
  if (descriptor < 0) return errno;
  struct stat found = {};
  if (fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode)) {
    (void)::close(descriptor);
    return EINVAL;
  }
  return take_over(descriptor, out);
}

void close(file one) {
  const errno_saver kept;
  if (const int descriptor = descriptor_of(one); descriptor >= 0) (void)::close(descriptor);
}

error take_hold(file of) {
  const errno_saver kept;
  const int descriptor = descriptor_of(of);
  if (descriptor < 0) return EBADF;
  const error refusal = result_of(uninterrupted([&] { return flock(descriptor, LOCK_EX | LOCK_NB); }));
  return refusal == 0 || refusal == EWOULDBLOCK ? refusal : ENOLCK;
}

error still_named(directory in, const char* name, file of) {
  const errno_saver kept;
  return is_name_of(in, name, of);
}

error read_at(file from, std::uint64_t offset, std::span<std::byte> out) {
  const errno_saver kept;
  while (!out.empty()) {
    const int descriptor = descriptor_of(from);
    if (descriptor < 0) return EBADF;
    const ssize_t length = pread(descriptor, out.data(), out.size(), static_cast<off_t>(offset));
    if (length == 0) return ENODATA;
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    out = out.subspan(static_cast<std::size_t>(length));
    offset += static_cast<std::uint64_t>(length);
  }
  return 0;
}

error write_at(file to, std::uint64_t offset, std::span<const std::byte> bytes) {
  const errno_saver kept;
  const signals_held held;
  while (!bytes.empty()) {
    if (offset >= size_limit()) return EFBIG;
    const int descriptor = descriptor_of(to);
    if (descriptor < 0) return EBADF;
    const ssize_t length = pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (length == 0) return EIO;
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(length));
    offset += static_cast<std::uint64_t>(length);
  }
  return 0;
}

error size_of(file of, std::uint64_t& size) {
  const errno_saver kept;
  struct stat found = {};
  const int descriptor = descriptor_of(of);
  if (descriptor < 0) return EBADF;
  if (fstat(descriptor, &found) != 0) return errno;
  size = static_cast<std::uint64_t>(found.st_size);
  return 0;
}

error sync(file of) {
  const errno_saver kept;
  return make_durable(descriptor_of(of));
}

void forget(file of) {
  const errno_saver kept;
#if defined(POSIX_FADV_DONTNEED)
  if (const int descriptor = descriptor_of(of); descriptor >= 0) (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
#else
  (void)of;
#endif
}

// The file that root put in the place of somebody's is theirs as before; they could not open it otherwise. The folder's owner
// may give the name to another file at any moment, so only the open file is given away.
error rename_over(directory in, const char* from, const char* to, file of) {
  const errno_saver kept;
  const int folder = descriptor_of(in);
  struct stat before = {};
  if (geteuid() == 0 && fstatat(folder, to, &before, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(before.st_mode) &&
      before.st_uid != 0) {
    if (const int descriptor = descriptor_of(of); descriptor >= 0) (void)fchown(descriptor, before.st_uid, before.st_gid);
  }
  return folder < 0 ? EBADF : result_of(renameat(folder, from, folder, to));
}

error remove(directory in, const char* name) {
  const errno_saver kept;
  const int folder = descriptor_of(in);
  return folder < 0 ? EBADF : result_of(unlinkat(folder, name, 0));
}

}  // namespace lockfast::platform
