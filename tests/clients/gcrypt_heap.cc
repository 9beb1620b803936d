// gcrypt_heap.cc - a program that knows libgcrypt alone, and needs more secure memory than its pool of 16 KiB.
//
//   client_gcrypt held|fell       what is expected of its secure blocks (heap_client.h)
//   client_gcrypt late LIBRARY    loads the drop-in when libgcrypt is in use
#include <dlfcn.h>
#include <gcrypt.h>

#include <cerrno>

#include "clients/heap_client.h"

namespace {

// Loads the drop-in once libgcrypt is in use, with blocks of its own.
int load_late(const char* library) {
  if (gcry_check_version(nullptr) == nullptr) return fail("libgcrypt");
  gcry_control(GCRYCTL_INIT_SECMEM, 16384, 0);
  gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
  void* const block = gcry_malloc_secure(32);
  void* const loaded = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  if (block == nullptr || loaded == nullptr) return fail("a block and the drop-in");
  auto* const install = reinterpret_cast<int (*)()>(dlsym(loaded, "lockfast_gcrypt_install"));
  if (install == nullptr) return fail("the function that installs it");
  errno = 0;
  if (install() != -1 || errno != EBUSY) return fail("libgcrypt was taken over in use");
  if (gcry_is_secure(block) == 0) return fail("libgcrypt's own block");
  gcry_free(block);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t count = 200;
  constexpr std::size_t size = 1024;
  if (argc == 3 && std::string_view(argv[1]) == "late") return load_late(argv[2]);
  if (argc != 2) return 2;
  if (!become_user(std::size_t{1} << 20)) return fail("no ordinary user under the limit");
  // What has to come first is not spoilt by the drop-in: nothing of libgcrypt has begun yet, and the generator is chosen.
  if (gcry_control(GCRYCTL_ANY_INITIALIZATION_P, 0) != 0) return fail("libgcrypt was in use before the program's first call");
  gcry_control(GCRYCTL_SET_PREFERRED_RNG_TYPE, GCRY_RNG_TYPE_SYSTEM);
  if (gcry_check_version(nullptr) == nullptr) return fail("libgcrypt");
  int generator = 0;
  gcry_control(GCRYCTL_GET_CURRENT_RNG_TYPE, &generator);
  if (generator != GCRY_RNG_TYPE_SYSTEM) return fail("another generator than the program chose");
  if (gcry_malloc_secure(0) != nullptr) return fail("a block of no bytes");
  gcry_control(GCRYCTL_INIT_SECMEM, 16384, 0);
  // Without this, what is beyond the pool is refused.
  gcry_control(GCRYCTL_AUTO_EXPAND_SECMEM, 65536, 0);
  gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);

  void* blocks[count];
  for (std::size_t at = 0; at < count; ++at) {
    blocks[at] = gcry_malloc_secure(size);
    if (blocks[at] == nullptr || gcry_is_secure(static_cast<char*>(blocks[at]) + size - 1) == 0) return fail("no secure block");
    mark(blocks[at], at);
  }
  for (std::size_t at = 0; at < count; at += 7) {
    blocks[at] = gcry_realloc(blocks[at], 3 * size);
    if (blocks[at] == nullptr || gcry_is_secure(blocks[at]) == 0 || !has_mark(blocks[at], at)) return fail("a block that grew");
  }
  const std::size_t plain = plain_marks();
  for (std::size_t at = 0; at < count; ++at) {
    if (!has_mark(blocks[at], at)) return fail("a block that changed");
    gcry_free(blocks[at]);
  }

  // Memory that was not asked to be secure is not; keys of libgcrypt's own work.
  void* const ordinary = gcry_malloc(size);
  if (ordinary == nullptr || gcry_is_secure(ordinary) != 0) return fail("an ordinary block");
  gcry_free(ordinary);
  gcry_sexp_t parameters = nullptr;
  gcry_sexp_t key = nullptr;
  gcry_sexp_t data = nullptr;
  gcry_sexp_t signature = nullptr;
  if (gcry_sexp_build(&parameters, nullptr, "(genkey (ecc (curve Ed25519) (flags eddsa)))") != 0 ||
      gcry_pk_genkey(&key, parameters) != 0 ||
      gcry_sexp_build(&data, nullptr, "(data (flags eddsa) (hash-algo sha512) (value %s))", "a message") != 0 ||
      gcry_pk_sign(&signature, data, key) != 0 || gcry_pk_verify(signature, data, key) != 0) {
    return fail("a key that signs and verifies");
  }
  for (gcry_sexp_t const each : {parameters, key, data, signature}) gcry_sexp_release(each);
  return verdict(argv[1], plain, count);
}
