// output.cc - bytes to a descriptor of the C library, on Windows.
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <sys/stat.h>

#include "platform/errno_saver.h"
#include "platform/platform.h"

namespace lockfast::platform {

error write_to(int descriptor, std::span<const char> bytes) {
  const errno_saver kept;
  while (!bytes.empty()) {
    const int written = _write(descriptor, bytes.data(), static_cast<unsigned>(bytes.size()));
    if (written <= 0) return written == 0 ? EIO : errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

int open_for_append(const char* path) {
  const errno_saver kept;
  return _open(path, _O_WRONLY | _O_CREAT | _O_APPEND | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
}

void close_output(int descriptor) {
  const errno_saver kept;
  (void)_close(descriptor);
}

void for_each_loaded(void (*)(void*, const char*), void*) {}

std::size_t process_id() { return static_cast<std::size_t>(_getpid()); }

}  // namespace lockfast::platform
