// sodium_box.cc - the functions of libsodium, found when the benchmark runs.
#include "bench/sodium_box.h"

#include <dlfcn.h>

#include <cstdio>

#include "bench/subject.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t key_size = 32;

void* library() {
  static void* const opened = [] {
    for (const char* name : {"libsodium.so.23", "libsodium.so.26", "libsodium.so"}) {
      if (void* const found = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return found;
    }
    std::fprintf(stderr, "bench: libsodium is not installed: it is left out\n");
    return static_cast<void*>(nullptr);
  }();
  return opened;
}

template <class Function>
Function symbol(const char* name) {
  void* const address = dlsym(library(), name);
  if (address == nullptr) give_up_loading();
  return reinterpret_cast<Function>(address);
}

struct functions {
  int (*init)() = symbol<int (*)()>("sodium_init");
  void* (*allocate)(std::size_t) = symbol<void* (*)(std::size_t)>("sodium_malloc");
  void (*free)(void*) = symbol<void (*)(void*)>("sodium_free");
  int (*noaccess)(void*) = symbol<int (*)(void*)>("sodium_mprotect_noaccess");
  int (*readonly)(void*) = symbol<int (*)(void*)>("sodium_mprotect_readonly");
  void (*random)(void*, std::size_t) = symbol<void (*)(void*, std::size_t)>("randombytes_buf");
  int (*seal)(unsigned char*, const unsigned char*, unsigned long long, const unsigned char*,
              const unsigned char*) = symbol<decltype(seal)>("crypto_secretbox_easy");
  int (*open)(unsigned char*, const unsigned char*, unsigned long long, const unsigned char*,
              const unsigned char*) = symbol<decltype(open)>("crypto_secretbox_open_easy");
};

const functions& sodium() {
  static const functions found;
  return found;
}

}  // namespace

bool sodium_box::installed() { return library() != nullptr; }

sodium_box::sodium_box() {
  if (sodium().init() < 0) give_up("sodium_init");
  key_ = static_cast<unsigned char*>(sodium().allocate(key_size));
  if (key_ == nullptr) give_up("sodium_malloc");
  sodium().random(key_, key_size);
  if (sodium().noaccess(key_) != 0) give_up("sodium_mprotect_noaccess");
}

sodium_box::~sodium_box() { sodium().free(key_); }

sodium_box::record sodium_box::seal(std::span<const unsigned char> plain) const {
  record made{{}, std::vector<unsigned char>(plain.size() + tag_size)};
  sodium().random(made.nonce.data(), made.nonce.size());
  if (sodium().readonly(key_) != 0 ||
      sodium().seal(made.sealed.data(), plain.data(), plain.size(), made.nonce.data(), key_) != 0 ||
      sodium().noaccess(key_) != 0) {
    give_up("crypto_secretbox_easy");
  }
  return made;
}

void sodium_box::open_into(const record& from, std::span<unsigned char> plain) const {
  if (sodium().readonly(key_) != 0 ||
      sodium().open(plain.data(), from.sealed.data(), from.sealed.size(), from.nonce.data(), key_) != 0 ||
      sodium().noaccess(key_) != 0) {
    give_up("crypto_secretbox_open_easy");
  }
}

unsigned char* sodium_box::open(const record& from) const {
  const std::size_t size = from.sealed.size() - tag_size;
  auto* const block = static_cast<unsigned char*>(sodium().allocate(size));
  if (block == nullptr) give_up("sodium_malloc");
  open_into(from, {block, size});
  if (sodium().readonly(block) != 0) give_up("sodium_mprotect_readonly");
  return block;
}

void sodium_box::close(unsigned char* block) const { sodium().free(block); }

}  // namespace lockfast::bench
