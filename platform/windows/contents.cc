// contents.cc - what is in a file of Windows: read and written at an offset, whatever others do with the same handle.
#include <windows.h>

#include <cerrno>

#include "platform/errno_saver.h"
#include "platform/files.h"
#include "platform/windows/error.h"
#include "platform/windows/native.h"

namespace lockfast::platform {
namespace {

constexpr std::size_t max_at_once = std::size_t{1} << 30;

OVERLAPPED place_at(std::uint64_t offset) {
  OVERLAPPED place = {};
  place.Offset = static_cast<DWORD>(offset);
  place.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return place;
}

// Calls transfer(part, length, place) until all bytes are done; at_end is the error where one transfers none.
template <class Byte, class Transfer>
error in_parts(std::uint64_t offset, std::span<Byte> bytes, error at_end, Transfer transfer) {
  const errno_saver kept;
  while (!bytes.empty()) {
    OVERLAPPED place = place_at(offset);
    DWORD length = 0;
    if (transfer(bytes.first(bytes.size() < max_at_once ? bytes.size() : max_at_once), &length, &place) == 0)
      return last_error();
    if (length == 0) return at_end;
    bytes = bytes.subspan(length);
    offset += length;
  }
  return 0;
}

}  // namespace

error read_at(file from, std::uint64_t offset, std::span<std::byte> out) {
  return in_parts(offset, out, ENODATA, [&](std::span<std::byte> part, DWORD* length, OVERLAPPED* place) {
    return ReadFile(native(from), part.data(), static_cast<DWORD>(part.size()), length, place);
  });
}

error write_at(file to, std::uint64_t offset, std::span<const std::byte> bytes) {
  return in_parts(offset, bytes, EIO, [&](std::span<const std::byte> part, DWORD* length, OVERLAPPED* place) {
    return WriteFile(native(to), part.data(), static_cast<DWORD>(part.size()), length, place);
  });
}

error size_of(file of, std::uint64_t& size) {
  const errno_saver kept;
  LARGE_INTEGER found = {};
  if (GetFileSizeEx(native(of), &found) == 0) return last_error();
  size = static_cast<std::uint64_t>(found.QuadPart);
  return 0;
}

error sync(file of) {
  const errno_saver kept;
  return result_of(FlushFileBuffers(native(of)));
}

// There is no call for it: the system's copy goes when its memory is wanted.
void forget(file) {}

}  // namespace lockfast::platform
