// tls_key.cc - serves one TLS connection: tls_key CERTIFICATE KEY, both in PEM. The key lies in locked memory alone.
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>
#include <lockfast/lockfast.hpp>

#include <cstdio>

using namespace lockfast;

static EVP_PKEY* read_key(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  const auto text = secret_input::read(file);  // read(2), straight into locked memory
  close(file);
  if (!text) return nullptr;
  const auto view = text->read();
  BIO* const source = BIO_new_mem_buf(view.data(), static_cast<int>(view.size()));
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(source, nullptr, nullptr, nullptr);
  BIO_free(source);
  return key;
}

int main(int argc, char** argv) {
  if (argc != 3 || !libcrypto_memory::route()) return 2;  // before the first other call of OpenSSL
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  EVP_PKEY* const key = read_key(argv[2]);
  if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1) return 1;
  EVP_PKEY_free(key);  // the context has it now

  BIO* const door = BIO_new_accept("127.0.0.1:0");
  if (BIO_do_accept(door) != 1) return 1;
  std::printf("port %s\nserve?\n", BIO_get_accept_port(door));
  std::fflush(stdout);
  std::getchar();
  if (BIO_do_accept(door) != 1) return 1;
  SSL* const session = SSL_new(context);
  BIO* const stream = BIO_pop(door);
  SSL_set_bio(session, stream, stream);
  const bool served = SSL_accept(session) == 1 && SSL_write(session, "served\n", 7) == 7;
  std::puts("go on?");
  std::fflush(stdout);
  std::getchar();
  SSL_shutdown(session);
  SSL_free(session);
  SSL_CTX_free(context);
  BIO_free_all(door);
  return served ? 0 : 1;
}
