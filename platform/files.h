// files.h - all that Lockfast asks of a file system; one host file implements it (docs/porting.md).
//
// Files live in a directory of ours: mode 0700, owned by this process's user, no symbolic link. A file is nameless, where the
// system can do that, or named, mode 0600, and held: whoever has it open holds it, so that the next start can tell a left-over
// from a file in use.
//
// The caller's duty, which the simulated host enforces: what was written to a file in a directory of ours is overwritten with
// zeros, and synced, before the file is removed, or closed when it has no name.
//
// A program may close every descriptor, ours too, and open its own files under their numbers: daemons do. So a host remembers
// what it opened, and looks before each use whether the number still stands for it.
//
// Invariants
//   1. A function that refuses has changed nothing, but that write_at may have written a part.
//   2. Nothing here copies the bytes of a file anywhere but where the caller says, and nothing changes errno.
//   3. A file or directory that was closed by others is refused with EBADF. Whatever has its number now is neither read, written,
//      synced, locked, listed nor closed.
//   4. No signal is raised for a refusal: a write past the limit on the size of files is EFBIG.
//
// Threads: every function is safe from any number of threads, on files that its caller owns.
#ifndef LOCKFAST_PLATFORM_FILES_H
#define LOCKFAST_PLATFORM_FILES_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::platform {

// 0, or the errno of a refusal.
using error = int;

// An open file or directory; none when nothing is open. What the fields say is the host's affair.
enum class opened_kind : unsigned char { file, directory };
template <opened_kind>
struct open_handle {
  std::intptr_t number = -1;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t mark = 0;  // of this opening, where the others may come again

  static const open_handle none;
  friend bool operator==(const open_handle&, const open_handle&) = default;
};
template <opened_kind Kind>
inline constexpr open_handle<Kind> open_handle<Kind>::none{};
using file = open_handle<opened_kind::file>;
using directory = open_handle<opened_kind::directory>;

constexpr std::size_t path_capacity = 4096;
constexpr std::size_t name_capacity = 64;

// ---- Directories ----------------------------------------------------------------------------------------------------------

// Writes the path of the directory for short-lived files of this user, ended by 0: below XDG_RUNTIME_DIR, else below the
// directory for temporary files. ENAMETOOLONG.
[[nodiscard]] error default_directory(std::span<char, path_capacity> path);

// Whether a character stands between the parts of a path.
[[nodiscard]] bool is_separator(char character);

enum class missing : unsigned char { create, refuse };

// Opens a directory of ours, creating the last part of its path, mode 0700. EPERM when it is another user's or open to
// others; ELOOP or ENOTDIR for a symbolic link.
[[nodiscard]] error open_ours(const char* path, missing policy, directory& out);

// Opens any directory that the caller names for files to be kept in; it may be open to others.
[[nodiscard]] error open_any(const char* path, directory& out);
void close(directory one);

// Whether both are the same directory, and not only of one path.
[[nodiscard]] bool same(directory one, directory other);

// Calls visit(context, name) for each entry but . and .. ; the names are valid during the call.
[[nodiscard]] error list(directory in, void (*visit)(void* context, const char* name), void* context);

// Makes changes of the directory's entries durable.
[[nodiscard]] error sync(directory in);

// ---- Files ----------------------------------------------------------------------------------------------------------------

// A file without a name, gone when it is closed. EOPNOTSUPP where the system has none.
[[nodiscard]] error create_nameless(directory in, file& out);

// Creates a file and holds it. EEXIST if the name is taken; EAGAIN if another process took the new file for a left-over; ENOLCK
// if the file system has no locks: then no file is left.
[[nodiscard]] error create_named(directory in, const char* name, file& out);

// Creates a file that nobody holds, for a file system without locks. EEXIST if the name is taken.
[[nodiscard]] error create_unheld(directory in, const char* name, file& out);

enum class opening : unsigned char { read, read_write };

// ENOENT; ELOOP for a symbolic link; EINVAL for what is no ordinary file.
[[nodiscard]] error open_named(directory in, const char* name, opening how, file& out);
void close(file one);

// Takes hold of a file that nobody else holds; EWOULDBLOCK when somebody does, ENOLCK if the file system has no locks. Whoever holds a file, and has seen by still_named
// that a name is its, is the only one who takes the name away: before that, others may have removed or renamed it.
[[nodiscard]] error take_hold(file of);

// 0 where a name is that of an open file; ENOENT where it is another file's, or nobody's.
[[nodiscard]] error still_named(directory in, const char* name, file of);

// ---- Contents -------------------------------------------------------------------------------------------------------------

// Whole spans or a refusal; ENODATA when the file ends before.
[[nodiscard]] error read_at(file from, std::uint64_t offset, std::span<std::byte> out);
[[nodiscard]] error write_at(file to, std::uint64_t offset, std::span<const std::byte> bytes);
[[nodiscard]] error size_of(file of, std::uint64_t& size);

// Makes the contents durable.
[[nodiscard]] error sync(file of);
// Lets the system forget its copy in RAM; the contents must be synced.
void forget(file of);

// ---- Names ----------------------------------------------------------------------------------------------------------------

// Puts a file of this directory, whose contents are synced, in the place of another, or of none. of is that file, open. It gets
// the other one's owner where the process is root's; no other file does, whatever has the name from by then.
[[nodiscard]] error rename_over(directory in, const char* from, const char* to, file of);
// The name may be taken until the last who has the file open closes it, where the system is like that.
[[nodiscard]] error remove(directory in, const char* name);

}  // namespace lockfast::platform

#endif
