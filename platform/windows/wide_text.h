// wide_text.h - text for the calls of Windows that want UTF-16.
#ifndef LOCKFAST_PLATFORM_WINDOWS_WIDE_TEXT_H
#define LOCKFAST_PLATFORM_WINDOWS_WIDE_TEXT_H

#include <windows.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "platform/platform.h"

namespace lockfast::platform {

// UTF-8 as Windows wants it; ENAMETOOLONG, or EINVAL for what is no UTF-8.
template <std::size_t Capacity>
class wide_text {
 public:
  explicit wide_text(const char* text) {
    const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, text_.data(), static_cast<int>(Capacity));
    if (length > 0) {
      length_ = static_cast<std::size_t>(length) - 1;
    } else {
      refusal_ = GetLastError() == ERROR_INSUFFICIENT_BUFFER ? ENAMETOOLONG : EINVAL;
    }
  }

  [[nodiscard]] error refusal() const { return refusal_; }
  [[nodiscard]] wchar_t* data() { return text_.data(); }
  [[nodiscard]] std::size_t length() const { return length_; }

 private:
  std::array<wchar_t, Capacity> text_ = {};
  std::size_t length_ = 0;
  error refusal_ = 0;
};

}  // namespace lockfast::platform

#endif
