// tls.cc - serves one TLS handshake with a private key that is in a vault: tls CERTIFICATE, and the key, in DER, on descriptor 3.
//
// Asks on the standard output, with a line that ends in "?", and goes on with the next line of the standard input.
#include <openssl/ssl.h>
#include <lockfast/lockfast.hpp>

#include <cstdio>

using namespace lockfast;

namespace {

void step(const char* what) {
  std::printf("%s: go on?\n", what);
  std::fflush(stdout);
  (void)secret_input::read(0, {.until = '\n'});
}

// Serves the first who comes. The key is libssl's only in here.
std::expected<void, memory_error> serve(EVP_PKEY* key, const char* certificate, BIO* door) {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  const bool ready = SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) == 1 &&
                     SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
  step("libssl has the key");
  SSL* const session = SSL_new(context);
  bool served = false;
  if (ready && BIO_do_accept(door) == 1) {
    BIO* const stream = BIO_pop(door);
    SSL_set_bio(session, stream, stream);
    served = SSL_accept(session) == 1;
    step("the handshake is done");
    served = served && SSL_write(session, "served\n", 7) == 7;
    SSL_shutdown(session);
  }
  SSL_free(session);
  SSL_CTX_free(context);
  if (!served) return std::unexpected(memory_error::denied);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !libcrypto_memory::route()) return 2;
  vault keys;
  auto read = secret_input::read(3);
  if (!read || !keys.insert("tls", std::move(*read))) return 1;
  step("the key is in the vault");

  BIO* const door = BIO_new_accept("127.0.0.1:0");
  if (door == nullptr || BIO_do_accept(door) != 1) return 1;
  std::printf("port %s\n", BIO_get_accept_port(door));
  const auto served =
      procedures(keys).use_pkey(*keys.find("tls"), nullptr, [&](EVP_PKEY* key) { return serve(key, argv[1], door); });
  BIO_free_all(door);
  step("the key is in the vault again");
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  std::printf("%s; %zu KiB locked\n", served ? "served" : message(served.error()).data(), now.bytes_locked / 1024);
  return served ? 0 : 1;
}
