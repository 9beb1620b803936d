// native.cc - a C++ program on the installed lockfast.h.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <memory>
#include <span>

namespace {

struct wipe_and_free {
  void operator()(unsigned char* secret) const { lockfast_free(secret); }
};

}  // namespace

int main() {
  lockfast_options options{};
  options.lock = LOCKFAST_LOCK_PREFERRED;
  if (lockfast_configure(&options) != 0) return 1;
  const std::unique_ptr<unsigned char, wipe_and_free> secret(static_cast<unsigned char*>(lockfast_calloc(4, 8)));
  if (secret == nullptr) return 2;
  const std::span<unsigned char> bytes(secret.get(), lockfast_size(secret.get()));
  if (bytes.size() != 32 || std::ranges::count(bytes, 0) != 32) return 3;
  std::ranges::fill(bytes, static_cast<unsigned char>('a'));
  return lockfast_check(secret.get()) == 0 && lockfast_audit() == 0 ? 0 : 4;
}
