// files.cc - files of Windows: opened below the handle of their directory, as openat does, by the calls of ntdll.
//
// A file is held by a lock on one byte far behind its end: Windows' locks keep others from reading what they cover. Who may open
// it is written down when it is created, as a list of one: this user; and what is open is shared with everyone, as files of POSIX
// are. There are no nameless files: one that goes when it is closed has a name until then. Handles are no numbers that a program
// counts through to close them all: the handle alone says which file it is.
#include <windows.h>

#include <winternl.h>

#include <ntstatus.h>
#include <sddl.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <cwchar>

#include "platform/errno_saver.h"
#include "platform/files.h"
#include "platform/platform.h"
#include "platform/windows/access_list.h"
#include "platform/windows/error.h"
#include "platform/windows/native.h"
#include "platform/windows/wide_text.h"

namespace lockfast::platform {
namespace {

error errno_of_status(NTSTATUS status) {
  if (status >= 0) return 0;
  if (status == STATUS_DELETE_PENDING) return ENOENT;
  return errno_of(RtlNtStatusToDosError(status));
}

// The header's enumeration of classes ends before those that are wanted.
NTSTATUS set_information(HANDLE of, void* information, std::size_t size, ULONG information_class) {
  using set_call = NTSTATUS(NTAPI*)(HANDLE, IO_STATUS_BLOCK*, void*, ULONG, ULONG);
  const FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtSetInformationFile");
  IO_STATUS_BLOCK status = {};
  return reinterpret_cast<set_call>(reinterpret_cast<void*>(found))(of, &status, information, static_cast<ULONG>(size),
                                                                    information_class);
}

constexpr ULONG shared_by_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// ---- Opening ----------------------------------------------------------------------------------------------------------------

// Without DELETE, since others that open the file, by the C library for one, do not share that.
constexpr ACCESS_MASK file_rights = FILE_GENERIC_READ | FILE_GENERIC_WRITE;

// Opens a name below a directory, a link as itself.
error open_below(HANDLE in, const char* name, ACCESS_MASK rights, ULONG disposition, ULONG options,
                 SECURITY_DESCRIPTOR* descriptor, HANDLE& out) {
  wide_text<name_capacity * 4> wide(name);
  if (wide.refusal() != 0) return wide.refusal();
  // A name, and no path.
  if (std::wcspbrk(wide.data(), L"\\/:") != nullptr) return EINVAL;
  UNICODE_STRING text = {};
  text.Buffer = wide.data();
  text.Length = static_cast<USHORT>(wide.length() * sizeof(wchar_t));
  text.MaximumLength = text.Length;
  OBJECT_ATTRIBUTES attributes = {};
  InitializeObjectAttributes(&attributes, &text, OBJ_CASE_INSENSITIVE, in, descriptor);
  IO_STATUS_BLOCK status = {};
  return errno_of_status(NtCreateFile(&out, rights | SYNCHRONIZE, &attributes, &status, nullptr, FILE_ATTRIBUTE_NORMAL,
                                      shared_by_all, disposition,
                                      options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT, nullptr, 0));
}

error attributes_of(HANDLE one, DWORD& attributes) {
  FILE_BASIC_INFO found = {};
  if (GetFileInformationByHandleEx(one, FileBasicInfo, &found, sizeof found) == 0) return last_error();
  attributes = found.FileAttributes;
  return 0;
}

bool same_file(HANDLE one, HANDLE other) {
  BY_HANDLE_FILE_INFORMATION first = {};
  BY_HANDLE_FILE_INFORMATION second = {};
  return GetFileInformationByHandle(one, &first) != 0 && GetFileInformationByHandle(other, &second) != 0 &&
         first.dwVolumeSerialNumber == second.dwVolumeSerialNumber && first.nFileIndexHigh == second.nFileIndexHigh &&
         first.nFileIndexLow == second.nFileIndexLow;
}

enum class links : unsigned char { follow, refuse };

error open_path(const wchar_t* path, links policy, directory& out) {
  const DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | (policy == links::refuse ? FILE_FLAG_OPEN_REPARSE_POINT : 0);
  constexpr DWORD rights = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE;
  HANDLE opened = CreateFileW(path, rights | FILE_ADD_FILE, shared_by_all, nullptr, OPEN_EXISTING, flags, nullptr);
  if (opened == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED) {
    opened = CreateFileW(path, rights, shared_by_all, nullptr, OPEN_EXISTING, flags, nullptr);
  }
  if (opened == INVALID_HANDLE_VALUE) return last_error();
  DWORD attributes = 0;
  error refusal = attributes_of(opened, attributes);
  if (refusal == 0 && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && policy == links::refuse) refusal = ELOOP;
  if (refusal == 0 && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) refusal = ENOTDIR;
  if (refusal != 0) {
    (void)CloseHandle(opened);
    return refusal;
  }
  out = {.number = reinterpret_cast<std::intptr_t>(opened)};
  return 0;
}

// The byte whose lock is the hold.
OVERLAPPED hold_place() {
  OVERLAPPED place = {};
  place.OffsetHigh = 0x40000000;
  return place;
}

error exclude_others(HANDLE of) {
  OVERLAPPED place = hold_place();
  return result_of(LockFileEx(of, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place));
}

error is_name_of(directory in, const char* name, HANDLE of) {
  HANDLE named = nullptr;
  if (const auto refusal = open_below(native(in), name, FILE_READ_ATTRIBUTES, FILE_OPEN, 0, nullptr, named); refusal != 0) {
    return refusal;
  }
  BY_HANDLE_FILE_INFORMATION first = {};
  BY_HANDLE_FILE_INFORMATION second = {};
  // Of one directory, and so of one volume, whose number Wine does not know of a file that was renamed.
  const bool same = GetFileInformationByHandle(named, &first) != 0 && GetFileInformationByHandle(of, &second) != 0 &&
                    first.nFileIndexHigh == second.nFileIndexHigh && first.nFileIndexLow == second.nFileIndexLow;
  (void)CloseHandle(named);
  return same ? 0 : ENOENT;
}

// Marks a file for removal. Where the file system can, its name is free at once; else when the last who has it open closes it.
error dispose(HANDLE of) {
  struct {
    ULONG flags;
  } at_once = {0x1 | 0x2};              // delete, with POSIX semantics
  constexpr ULONG disposition_ex = 64;  // FileDispositionInformationEx, Windows 10 of 2017
  if (set_information(of, &at_once, sizeof at_once, disposition_ex) >= 0) return 0;
  FILE_DISPOSITION_INFO at_close = {};
  at_close.DeleteFile = TRUE;
  return result_of(SetFileInformationByHandle(of, FileDispositionInfo, &at_close, sizeof at_close));
}

}  // namespace

// ---- Directories ------------------------------------------------------------------------------------------------------------

error default_directory(std::span<char, path_capacity> path) {
  const errno_saver kept;
  std::array<wchar_t, MAX_PATH + 1> base = {};
  const DWORD length = GetTempPathW(static_cast<DWORD>(base.size()), base.data());
  if (length == 0 || length >= base.size()) return ENAMETOOLONG;
  token_user user;
  char* id = nullptr;
  if (!user.known() || ConvertSidToStringSidA(user.id(), &id) == 0) return EPERM;
  const int used = WideCharToMultiByte(CP_UTF8, 0, base.data(), static_cast<int>(length), path.data(),
                                       static_cast<int>(path.size()), nullptr, nullptr);
  const auto left = used <= 0 ? std::span<char>() : path.subspan(static_cast<std::size_t>(used));
  const int written = left.empty() ? -1 : std::snprintf(left.data(), left.size(), "lockfast-%s", id);
  (void)LocalFree(id);
  return written < 0 || static_cast<std::size_t>(written) >= left.size() ? ENAMETOOLONG : 0;
}

bool is_separator(char character) { return character == '/' || character == '\\'; }

error open_ours(const char* path, missing policy, directory& out) {
  const errno_saver kept;
  wide_text<path_capacity> wide(path);
  if (wide.refusal() != 0) return wide.refusal();
  // A path that ends in "\" or "\." would have a link in front of that followed.
  std::size_t length = wide.length();
  const auto is_slash = [&](std::size_t at) { return wide.data()[at] == L'/' || wide.data()[at] == L'\\'; };
  while (length > 1 && (is_slash(length - 1) || (length > 2 && wide.data()[length - 1] == L'.' && is_slash(length - 2)))) {
    --length;
  }
  wide.data()[length] = 0;
  if (policy == missing::create) {
    token_user user;
    ours_only access(user);
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, access.descriptor(), FALSE};
    if (!access.made()) return EPERM;
    if (CreateDirectoryW(wide.data(), &attributes) == 0 && GetLastError() != ERROR_ALREADY_EXISTS) return last_error();
  }
  if (const error refusal = open_path(wide.data(), links::refuse, out); refusal != 0) return refusal;
  if (is_ours(native(out))) return 0;
  close(out);
  out = directory::none;
  return EPERM;
}

error open_any(const char* path, directory& out) {
  const errno_saver kept;
  wide_text<path_capacity> wide(path);
  return wide.refusal() != 0 ? wide.refusal() : open_path(wide.data(), links::follow, out);
}

bool same(directory one, directory other) {
  const errno_saver kept;
  return same_file(native(one), native(other));
}

void close(directory one) {
  const errno_saver kept;
  if (one != directory::none) (void)CloseHandle(native(one));
}

error list(directory in, void (*visit)(void* context, const char* name), void* context) {
  const errno_saver kept;
  // A handle of its own: the place in the directory belongs to whoever opened it.
  HANDLE own = nullptr;
  constexpr ACCESS_MASK rights = FILE_LIST_DIRECTORY;
  if (const error refusal = open_below(native(in), "", rights, FILE_OPEN, FILE_DIRECTORY_FILE, nullptr, own); refusal != 0) {
    return refusal;
  }
  alignas(FILE_ID_BOTH_DIR_INFO) std::array<std::byte, 8192> entries;
  error refusal = 0;
  while (GetFileInformationByHandleEx(own, FileIdBothDirectoryInfo, entries.data(), static_cast<DWORD>(entries.size())) != 0) {
    const std::byte* at = entries.data();
    for (;;) {
      const auto* const entry = reinterpret_cast<const FILE_ID_BOTH_DIR_INFO*>(at);
      std::array<char, MAX_PATH * 3 + 1> name = {};
      const int length = static_cast<int>(entry->FileNameLength / sizeof(wchar_t));
      (void)WideCharToMultiByte(CP_UTF8, 0, entry->FileName, length, name.data(), static_cast<int>(name.size()) - 1, nullptr,
                                nullptr);
      if (std::strcmp(name.data(), ".") != 0 && std::strcmp(name.data(), "..") != 0) visit(context, name.data());
      if (entry->NextEntryOffset == 0) break;
      at += entry->NextEntryOffset;
    }
  }
  if (GetLastError() != ERROR_NO_MORE_FILES) refusal = last_error();
  (void)CloseHandle(own);
  return refusal;
}

// Only who may write a directory can, and not on every file system: then its journal has to do.
error sync(directory in) {
  const errno_saver kept;
  if (FlushFileBuffers(native(in)) != 0) return 0;
  switch (GetLastError()) {
    case ERROR_ACCESS_DENIED:
    case ERROR_INVALID_HANDLE:
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED: return 0;
    default: return last_error();
  }
}

// ---- Files ------------------------------------------------------------------------------------------------------------------

error create_nameless(directory, file&) { return EOPNOTSUPP; }

error create_unheld(directory in, const char* name, file& out) {
  const errno_saver kept;
  token_user user;
  ours_only access(user);
  if (!access.made()) return EPERM;
  HANDLE made = nullptr;
  const error refused =
      open_below(native(in), name, file_rights, FILE_CREATE, FILE_NON_DIRECTORY_FILE, access.descriptor(), made);
  if (refused == 0) out = {.number = reinterpret_cast<std::intptr_t>(made)};
  return refused;
}

error create_named(directory in, const char* name, file& out) {
  const errno_saver kept;
  file created = file::none;
  if (const error refused = create_unheld(in, name, created); refused != 0) return refused;
  HANDLE const made = native(created);
  const error refusal = exclude_others(made);
  if (refusal == 0 && is_name_of(in, name, made) == 0) {
    out = created;
    return 0;
  }
  (void)CloseHandle(made);
  // A file system that has no such locks has nobody who took it either.
  const bool no_locks = refusal != 0 && refusal != EWOULDBLOCK;
  if (no_locks) (void)remove(in, name);
  return no_locks ? ENOLCK : EAGAIN;
}

error open_named(directory in, const char* name, opening how, file& out) {
  const errno_saver kept;
  HANDLE opened = nullptr;
  const ACCESS_MASK rights = how == opening::read ? FILE_GENERIC_READ : file_rights;
  if (const error refusal = open_below(native(in), name, rights, FILE_OPEN, 0, nullptr, opened); refusal != 0) return refusal;
  DWORD attributes = 0;
  error refusal = attributes_of(opened, attributes);
  if (refusal == 0 && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) refusal = ELOOP;
  if (refusal == 0 && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) refusal = EINVAL;
  if (refusal != 0) {
    (void)CloseHandle(opened);
    return refusal;
  }
  out = {.number = reinterpret_cast<std::intptr_t>(opened)};
  return 0;
}

void close(file one) {
  const errno_saver kept;
  if (one != file::none) (void)CloseHandle(native(one));
}

error take_hold(file of) {
  const errno_saver kept;
  return exclude_others(native(of));
}

error still_named(directory in, const char* name, file of) {
  const errno_saver kept;
  return is_name_of(in, name, native(of));
}

// ---- Names ------------------------------------------------------------------------------------------------------------------

namespace {

// What the calls for a new name take.
struct renaming {
  ULONG flags;  // or, for the older call, one that is 1: replace
  HANDLE root;
  ULONG length;
  wchar_t name[name_capacity * 4];
};

NTSTATUS rename_to(HANDLE renamed, directory in, const wchar_t* to, std::size_t length) {
  renaming wanted = {};
  wanted.flags = 0x1 | 0x2;  // replace, with POSIX semantics: whoever has the other open keeps it
  wanted.root = native(in);
  wanted.length = static_cast<ULONG>(length * sizeof(wchar_t));
  std::wmemcpy(wanted.name, to, length);
  constexpr ULONG rename_ex = 65;  // FileRenameInformationEx, Windows 10 of 2017
  constexpr ULONG rename = 10;     // FileRenameInformation
  const NTSTATUS result = set_information(renamed, &wanted, sizeof wanted, rename_ex);
  if (result >= 0) return result;
  wanted.flags = 1;
  return set_information(renamed, &wanted, sizeof wanted, rename);
}

// Older systems do not replace a file that somebody has open: it is given another name first, and goes when it is closed.
NTSTATUS rename_past(HANDLE renamed, directory in, const char* to, const wchar_t* wide, std::size_t length) {
  std::uint64_t number = 0;
  if (try_random(std::as_writable_bytes(std::span(&number, 1))) != 0) return STATUS_ACCESS_DENIED;
  HANDLE other = nullptr;
  if (open_below(native(in), to, DELETE, FILE_OPEN, 0, nullptr, other) != 0) return STATUS_ACCESS_DENIED;
  wchar_t aside[name_capacity] = {};
  for (std::size_t at = 0; at < 16; ++at) aside[at] = L"0123456789abcdef"[number >> (4 * at) & 15];
  NTSTATUS result = rename_to(other, in, aside, std::wcslen(aside));
  if (result >= 0) {
    result = rename_to(renamed, in, wide, length);
    if (result >= 0) {
      (void)dispose(other);
    } else {
      (void)rename_to(other, in, wide, length);
    }
  }
  (void)CloseHandle(other);
  return result;
}

}  // namespace

error rename_over(directory in, const char* from, const char* to, file) {
  const errno_saver kept;
  wide_text<name_capacity * 4> wide(to);
  if (wide.refusal() != 0) return wide.refusal();
  if (std::wcspbrk(wide.data(), L"\\/:") != nullptr) return EINVAL;
  HANDLE renamed = nullptr;
  if (const error refusal = open_below(native(in), from, DELETE, FILE_OPEN, 0, nullptr, renamed); refusal != 0) return refusal;
  NTSTATUS result = rename_to(renamed, in, wide.data(), wide.length());
  if (result == STATUS_ACCESS_DENIED) result = rename_past(renamed, in, to, wide.data(), wide.length());
  (void)CloseHandle(renamed);
  return errno_of_status(result);
}

error remove(directory in, const char* name) {
  const errno_saver kept;
  HANDLE removed = nullptr;
  if (const error refusal = open_below(native(in), name, DELETE, FILE_OPEN, 0, nullptr, removed); refusal != 0) return refusal;
  const error refusal = dispose(removed);
  (void)CloseHandle(removed);
  return refusal;
}

}  // namespace lockfast::platform
