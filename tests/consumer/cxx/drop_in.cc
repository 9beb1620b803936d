// drop_in.cc - a C++ program on the installed sodium.h; STANDALONE when the library serves sodium_init too.
#include <lockfast/sodium.h>

#include <memory>
#include <string>

namespace {

struct sodium_deleter {
  void operator()(char* secret) const { sodium_free(secret); }
};

}  // namespace

int main() {
#ifdef STANDALONE
  if (sodium_init() != 0) return 1;
#endif
  const std::unique_ptr<char, sodium_deleter> secret(static_cast<char*>(sodium_malloc(16)));
  if (secret == nullptr) return 2;
  std::string typed = "correct horse ba";
  typed.copy(secret.get(), 16);
  if (sodium_munlock(&typed[0], typed.size()) != 0 || typed != std::string(16, '\0')) return 3;
  if (sodium_mprotect_readonly(secret.get()) != 0) return 4;
  return sodium_memcmp(secret.get(), "correct horse ba", 16) == 0 ? 0 : 5;
}
