// output.cc - bytes to a descriptor, on every POSIX host.
//
// Not cancellation points: a thread that ended in one would not end a call of the allocator.
#include <fcntl.h>
#if __has_include(<link.h>)
#include <link.h>
#endif
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/errno_saver.h"
#include "platform/platform.h"
#include "platform/posix/signals.h"

namespace lockfast::platform {
namespace {

class cancellation_held {
 public:
  cancellation_held() { (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~cancellation_held() { (void)pthread_setcancelstate(before_, nullptr); }
  cancellation_held(const cancellation_held&) = delete;
  cancellation_held& operator=(const cancellation_held&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace

error write_to(int descriptor, std::span<const char> bytes) {
  const errno_saver kept;
  const cancellation_held uncancelled;
  const signals_held held;
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written == 0 ? EIO : errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

int open_for_append(const char* path) {
  const errno_saver kept;
  const cancellation_held uncancelled;
  return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
}

void close_output(int descriptor) {
  const errno_saver kept;
  const cancellation_held uncancelled;
  (void)close(descriptor);
}

std::size_t process_id() { return static_cast<std::size_t>(getpid()); }

void for_each_loaded(void (*look)(void* with, const char* path), void* with) {
#if __has_include(<link.h>)
  struct looker {
    void (*look)(void* with, const char* path);
    void* with;
  } one{look, with};
  const auto each = [](dl_phdr_info* loaded, std::size_t, void* to) {
    const auto& looks = *static_cast<const looker*>(to);
    // The program itself and what the kernel maps have no path.
    if (loaded->dlpi_name != nullptr && strchr(loaded->dlpi_name, '/') != nullptr) looks.look(looks.with, loaded->dlpi_name);
    return 0;
  };
  (void)dl_iterate_phdr(each, &one);
#else
  (void)look;
  (void)with;
#endif
}

}  // namespace lockfast::platform
