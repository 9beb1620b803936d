// hidden.cc - memory out of the kernel's own map: memfd_secret.
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "platform/errno_saver.h"
#include "platform/linux/madvise.h"
#include "platform/linux/calls.h"
#include "platform/linux/filter.h"
#include "platform/linux/proc_file.h"
#include "platform/posix/pages.h"
#include "platform/posix/signals.h"

namespace lockfast::platform {
namespace {

// The descriptor of memfd_secret(2): whoever takes it (pidfd_getfd) has the pages too, so it lives for as few calls as can be.
class secret_file {
 public:
  explicit secret_file(std::size_t size) {
    refusal_ = forbidden(risky_call::memfd_secret);
    if (refusal_ != 0) return;
    descriptor_ = static_cast<int>(syscall(call_memfd_secret, O_CLOEXEC));
    if (descriptor_ >= 0 && size > size_limit()) {
      refusal_ = EFBIG;  // and SIGXFSZ otherwise
    } else if (descriptor_ < 0 || (size != 0 && ftruncate(descriptor_, static_cast<off_t>(size)) != 0)) {
      refusal_ = errno;
    }
  }
  // By the C library's close, which a sanitizer has to see as it saw mmap (decision 0072); no cancellation point meanwhile.
  ~secret_file() {
    if (descriptor_ < 0) return;
    int before = PTHREAD_CANCEL_ENABLE;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    (void)close(descriptor_);
    (void)pthread_setcancelstate(before, &before);
  }
  secret_file(const secret_file&) = delete;
  secret_file& operator=(const secret_file&) = delete;

  [[nodiscard]] error refusal() const { return refusal_; }
  [[nodiscard]] void* map(void* address, std::size_t size, int flags) const {
    return mmap(address, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, descriptor_, 0);
  }

 private:
  int descriptor_ = -1;
  error refusal_ = 0;
};

// Has the kernel write a byte of each page: where a page can't be had it fails with EFAULT, and a store of ours would be
// SIGBUS (kernels with per-user accounting: 6.1.192, 6.12.117, 7.2).
error populate(std::byte* address, std::size_t size) {
  for (std::size_t at = 0; at < size; at += page_size()) {
    if (syscall(SYS_getrandom, address + at, 1, GRND_NONBLOCK) != 1) return errno == EFAULT ? ENOMEM : errno;
    *(address + at) = std::byte{0};
  }
  return 0;
}

// A map in reserve, of its own kind, so that it never joins another. Hiding a page in the middle of a map can take the number of
// maps one past the limit (mm/vma.c looks once, then splits twice), where the kernel makes none at all, not even in another's
// place: what was hidden could not be given back. Given up then, and taken again.
constinit std::atomic<void*> map_in_reserve = nullptr;

void keep_map_in_reserve() {
  if (map_in_reserve.load(std::memory_order_relaxed) != nullptr) return;
  void* const mapped = mmap(nullptr, page_size(), PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void* none = nullptr;
  if (mapped != MAP_FAILED && !map_in_reserve.compare_exchange_strong(none, mapped)) munmap(mapped, page_size());
}

// Puts inaccessible anonymous memory over whatever is there.
bool cover(std::byte* address, std::size_t size) {
  const auto covered = [&] {
    return mmap(address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address;
  };
  if (covered()) return true;
  void* const given_up = map_in_reserve.exchange(nullptr);
  if (given_up == nullptr) return false;
  munmap(given_up, page_size());
  const bool done = covered();
  keep_map_in_reserve();
  return done;
}

}  // namespace

error hiding_error() {
  const errno_saver kept;
  // Without advice every forked child would share the pages.
  return advice_is_followed() ? secret_file(0).refusal() : ENOTSUP;
}

bool may_hibernate() {
  const errno_saver kept;
  constexpr char disk[] = {'d', 'i', 's', 'k'};
  text_file states("/sys/power/state");
  const auto words = states.next_piece();
  bool to_disk = false;
  for (std::size_t at = 0; at + sizeof disk <= words.size(); ++at) to_disk |= memcmp(words.data() + at, disk, sizeof disk) == 0;
  // The device of the image, as major:minor; 0:0 where none is set.
  text_file resume("/sys/power/resume");
  bool device = false;
  for (const char character : resume.next_piece()) device |= character >= '1' && character <= '9';
  return to_disk && device;
}

error hide(std::byte* address, std::size_t size, fork_policy policy, reservation& again) {
  const errno_saver kept;
  const secret_file file(size);
  if (file.refusal() != 0) return file.refusal();
  keep_map_in_reserve();
  error refusal = file.map(address, size, MAP_FIXED) == address ? 0 : errno;
  if (refusal == 0) refusal = advise(address, size, MADV_DONTFORK);
  if (refusal == 0) refusal = populate(address, size);
  if (refusal == 0) return 0;
  // A map over the limit is refused when what was there is gone already (mm/secretmem.c).
  if (cover(address, size)) settle_reservation(again, address, size, policy);
  return refusal;
}

error unhide(std::byte* address, std::size_t size, fork_policy policy, reservation& again) {
  const errno_saver kept;
  if (!cover(address, size)) return errno;
  settle_reservation(again, address, size, policy);
  return 0;
}

std::byte* map_shared_hidden(std::size_t size) {
  const errno_saver kept;
  const secret_file file(size);
  if (file.refusal() != 0) return nullptr;
  void* const mapped = file.map(nullptr, size, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const pages = static_cast<std::byte*>(mapped);
  if (populate(pages, size) == 0) return pages;
  munmap(mapped, size);
  return nullptr;
}

error move_hidden(std::byte* from, std::byte* to, std::size_t size) {
  const errno_saver kept;
  if (const error refusal = forbidden(risky_call::move_map); refusal != 0) return refusal;
  if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) return errno;
  return advise(to, size, MADV_DONTFORK);
}

}  // namespace lockfast::platform
