// openssl_heap.cc - a program that knows OpenSSL alone, and needs more than the arena of its secure heap.
//
//   client_openssl held|fell    what is expected of its secure blocks (heap_client.h)
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "clients/heap_client.h"

namespace {

// What libcrypto's plain heap is told to free last, and whether it was wiped by then.
void* watched = nullptr;
bool was_wiped = false;

void* plain_malloc(std::size_t size, const char*, int) { return std::malloc(size); }
void* plain_realloc(void* block, std::size_t size, const char*, int) { return std::realloc(block, size); }
void plain_free(void* block, const char*, int) {
  if (block != nullptr && block == watched) {
    was_wiped = std::all_of(static_cast<char*>(block), static_cast<char*>(block) + 64, [](char byte) { return byte == 0; });
  }
  std::free(block);
}

}  // namespace

// Where nothing can be locked, a heap begins and says that it is not locked.
bool tells_of_no_locks() {
  const pid_t child = fork();
  if (child == 0) _exit(become_user(0) && CRYPTO_secure_malloc_init(65536, 16) == 2 ? 0 : 1);
  int state = 1;
  return child > 0 && waitpid(child, &state, 0) == child && state == 0;
}

int main(int argc, char** argv) {
  constexpr std::size_t count = 200;
  constexpr std::size_t size = 1000;
  if (argc != 2) return 2;
  const bool ours = std::string_view(argv[1]) == "held";
  if (!tells_of_no_locks()) return fail("a heap that is not locked and does not say so");
  if (!become_user(std::size_t{1} << 20)) return fail("no ordinary user under the limit");
  if (CRYPTO_set_mem_functions(plain_malloc, plain_realloc, plain_free) != 1) return fail("the plain heap");
  if (CRYPTO_secure_malloc_init(65536, 16) != 1 || CRYPTO_secure_malloc_initialized() != 1) return fail("the secure heap");

  if (CRYPTO_secure_malloc_init(65536, 16) != 0) return fail("a second start was not refused");
  if (CRYPTO_secure_malloc_done() != 1) return fail("an empty heap does not end");
  // OpenSSL's own ends the process here.
  if (ours && (CRYPTO_secure_malloc_init(65536, 17) != 0 || CRYPTO_secure_malloc_init(65000, 16) != 0))
    return fail("a size that is no power of two was not refused");
  if (CRYPTO_secure_malloc_init(65536, 3) != 1) return fail("a smallest block that OpenSSL rounds up was refused");

  watched = OPENSSL_malloc(64);
  std::memset(watched, 'x', 64);
  OPENSSL_secure_clear_free(watched, 64);
  if (!was_wiped) return fail("a plain block was freed without a wipe");

  void* blocks[count];
  std::size_t secure = 0;
  for (std::size_t at = 0; at < count; ++at) {
    blocks[at] = OPENSSL_secure_zalloc(size);
    // OpenSSL's own heap refuses once its arena is full. A program like this goes on in the plain one.
    if (blocks[at] == nullptr) blocks[at] = OPENSSL_zalloc(size);
    if (blocks[at] == nullptr) return fail("a block");
    secure += static_cast<std::size_t>(CRYPTO_secure_allocated(blocks[at]));
    mark(blocks[at], at);
  }
  const std::size_t plain = plain_marks();
  if (ours && (secure != count || CRYPTO_secure_used() < count * size || OPENSSL_secure_actual_size(blocks[0]) < size)) {
    return fail("not all of them are secure");
  }
  if (ours && CRYPTO_secure_malloc_done() != 0) return fail("an end while blocks are left");
  for (std::size_t at = 0; at < count; ++at) {
    if (!has_mark(blocks[at], at)) return fail("a block that changed");
    OPENSSL_secure_clear_free(blocks[at], size);
  }

  // Its generator keeps its state there.
  if (CRYPTO_secure_used() >= size) return fail("what was freed is counted");

  // libcrypto's own numbers come from there as well, and its keys work.
  BIGNUM* const number = BN_secure_new();
  if (number == nullptr || BN_rand(number, 2048, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1) return fail("a number");
  if (CRYPTO_secure_used() < 256) return fail("libcrypto's number is not secure");
  BN_clear_free(number);
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  unsigned char signature[64];
  std::size_t length = sizeof signature;
  const unsigned char message[] = "a message";
  const bool works = key != nullptr && context != nullptr && EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key) == 1 &&
                     EVP_DigestSign(context, signature, &length, message, sizeof message) == 1 &&
                     EVP_MD_CTX_reset(context) == 1 && EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key) == 1 &&
                     EVP_DigestVerify(context, signature, length, message, sizeof message) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  if (!works) return fail("a key that signs and verifies");
  return verdict(argv[1], plain, count);
}
