// input.cc - the C library's descriptors, and the console.
#include "platform/input.h"

#include <io.h>
#include <windows.h>
#include <cerrno>
#include <climits>

#include <algorithm>
#include <new>

namespace lockfast::platform {

struct silent_terminal::saved {
  HANDLE in;
  HANDLE out;
  DWORD mode;
};

int read_some(int descriptor, std::span<std::byte> out, std::size_t& count) {
  const auto wanted = static_cast<unsigned>(std::min<std::size_t>(out.size(), INT_MAX));
  const int got = _read(descriptor, out.data(), wanted);
  if (got < 0) return errno;
  count = static_cast<std::size_t>(got);
  return 0;
}

int silent_terminal::open() {
  constexpr DWORD shared = FILE_SHARE_READ | FILE_SHARE_WRITE;
  constexpr DWORD access = GENERIC_READ | GENERIC_WRITE;
  const HANDLE in = CreateFileW(L"CONIN$", access, shared, nullptr, OPEN_EXISTING, 0, nullptr);
  if (in == INVALID_HANDLE_VALUE) return ENXIO;
  const HANDLE out = CreateFileW(L"CONOUT$", access, shared, nullptr, OPEN_EXISTING, 0, nullptr);
  DWORD mode = 0;
  auto* const made = new (std::nothrow) saved{in, out, 0};
  constexpr DWORD shown = ENABLE_ECHO_INPUT | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT;
  if (made == nullptr || out == INVALID_HANDLE_VALUE || !GetConsoleMode(in, &mode) || !SetConsoleMode(in, mode & ~shown)) {
    delete made;
    if (out != INVALID_HANDLE_VALUE) CloseHandle(out);
    CloseHandle(in);
    return made == nullptr ? ENOMEM : ENXIO;
  }
  made->mode = mode;
  FlushConsoleInputBuffer(in);
  before_ = made;
  return 0;
}

silent_terminal::~silent_terminal() {
  if (before_ == nullptr) return;
  SetConsoleMode(before_->in, before_->mode);
  CloseHandle(before_->in);
  CloseHandle(before_->out);
  delete before_;
}

int silent_terminal::read_key(std::byte& key, bool& is_end) const {
  DWORD count = 0;
  if (!ReadFile(before_->in, &key, 1, &count, nullptr)) return EIO;
  is_end = count == 0;
  return 0;
}

int silent_terminal::write(std::string_view text) const {
  DWORD done = 0;
  return WriteFile(before_->out, text.data(), static_cast<DWORD>(text.size()), &done, nullptr) ? 0 : EIO;
}

}  // namespace lockfast::platform
