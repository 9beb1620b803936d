#include "tools/heist/subject.h"

#include <dlfcn.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "tools/heist/stage.h"

namespace lockfast::tools {
namespace {

[[noreturn]] void refuse(const std::string& what, int error) { throw std::runtime_error(what + ": " + std::strerror(error)); }

class ordinary_memory : public memory {
 public:
  void* allocate(std::size_t size) override { return std::malloc(size); }
  void release(void* block) override { std::free(block); }
};

// The library as it is installed, beside ours.
class sodium_memory : public memory {
 public:
  sodium_memory() {
    for (const char* const name : {"libsodium.so.26", "libsodium.so.23"}) {
      if (library_ == nullptr) library_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (library_ == nullptr) throw std::runtime_error("neither libsodium.so.26 nor .23 can be loaded");
    if (called<int()>("sodium_init")() < 0) throw std::runtime_error("sodium_init failed");
  }
  void* allocate(std::size_t size) override { return called<void*(std::size_t)>("sodium_malloc")(size); }
  void release(void* block) override { called<void(void*)>("sodium_free")(block); }
  void close(void* block) override { (void)called<int(void*)>("sodium_mprotect_noaccess")(block); }
  std::string backing(const void*) override { return called<const char*()>("sodium_version_string")(); }

 private:
  template <class Function>
  Function* called(const char* name) {
    void* const found = dlsym(library_, name);
    if (found == nullptr) throw std::runtime_error(std::string("libsodium has no ") + name);
    return reinterpret_cast<Function*>(found);
  }

  void* library_ = nullptr;
};

lockfast_receipt receipt_of(const void* secret) {
  lockfast_receipt receipt{};
  if (lockfast_describe(secret, &receipt) != 0) refuse("no receipt", errno);
  return receipt;
}

// Ours. What the options leave open, LOCKFAST_OPTIONS says.
class isolated_memory : public memory {
 public:
  explicit isolated_memory(lockfast_hidden hidden, lockfast_rest_policy rest = LOCKFAST_REST_DEFAULT)
      : hidden_(hidden), rest_(rest) {
    lockfast_options options{};
    options.hidden = hidden;
    options.rest = rest;
    options.native_placement = LOCKFAST_PLACEMENT_GROUPED;  // of lockfast_malloc
    if (lockfast_configure(&options) != 0) refuse("lockfast_configure", errno);
  }
  void* allocate(std::size_t size) override { return lockfast_malloc_isolated(size); }
  void release(void* block) override { lockfast_free(block); }
  void close(void* block) override {
    if (lockfast_protect(block, LOCKFAST_NOACCESS) != 0) refuse("lockfast_protect", errno);
  }
  std::string backing(const void* block) override {
    const lockfast_receipt got = receipt_of(block);
    if (hidden_ == LOCKFAST_HIDDEN_ON && got.backing != LOCKFAST_HIDDEN)
      refuse("no hidden memory (memfd_secret)", got.hide_error);
    if (rest_ == LOCKFAST_REST_SEAL && got.rest != LOCKFAST_SEALED) refuse("it was not sealed", got.rest_error);
    if (got.rest == LOCKFAST_SEALED) return "at rest";
    return got.backing == LOCKFAST_HIDDEN ? "hidden" : got.backing == LOCKFAST_LOCKED ? "locked" : "unlocked";
  }

 private:
  lockfast_hidden hidden_;
  lockfast_rest_policy rest_;
};

class grouped_memory : public isolated_memory {
 public:
  grouped_memory() : isolated_memory(LOCKFAST_HIDDEN_DEFAULT) {}
  void* allocate(std::size_t size) override { return lockfast_malloc(size); }
  void close(void*) override {}  // a group is open always
};

class compartment_memory : public isolated_memory {
 public:
  compartment_memory() : isolated_memory(LOCKFAST_HIDDEN_DEFAULT), all_(lockfast_compartment_create()) {
    if (all_ == nullptr) refuse("lockfast_compartment_create", errno);
  }
  void* allocate(std::size_t size) override { return lockfast_compartment_malloc(all_, size); }

 private:
  lockfast_compartment* all_;
};

template <class Memory, class... With>
std::function<std::unique_ptr<memory>()> taken_up(With... with) {
  return [=] { return std::make_unique<Memory>(with...); };
}

// Learns what it has, or why it has nothing.
void inspect(subject& one) {
  const outcome ended = attempt([&](stage& on) {
    const auto from = one.take_up();
    on.held(from->backing(new_secret(*from, one)));
  });
  (ended.is == result::held ? one.backing : one.missing) = ended.how;
}

}  // namespace

void* new_secret(memory& from, const subject& of) {
  void* const block = from.allocate(secret_size);
  if (block == nullptr) refuse("the allocation was refused", errno);
  auto* const bytes = static_cast<unsigned char*>(block);
  secret_bytes.write(bytes);
  secret_bytes.write(bytes + attacks::mark_size);
  if (of.at_rest) from.close(block);
  return block;
}

std::vector<subject> subjects() {
  std::vector<subject> all = {
      {"malloc", "malloc", false, false, taken_up<ordinary_memory>()},
      {"libsodium", "libsodium", false, false, taken_up<sodium_memory>()},
      {"isolated_hidden", "isolated", true, false, taken_up<isolated_memory>(LOCKFAST_HIDDEN_ON)},
      {"isolated_locked", "isolated", true, false, taken_up<isolated_memory>(LOCKFAST_HIDDEN_OFF)},
      {"grouped", "grouped", true, false, taken_up<grouped_memory>()},
      {"compartment", "compartment", true, false, taken_up<compartment_memory>()},
      {"sealed", "sealed", true, true, taken_up<isolated_memory>(LOCKFAST_HIDDEN_DEFAULT, LOCKFAST_REST_SEAL)},
  };
  for (subject& one : all) inspect(one);
  return all;
}

}  // namespace lockfast::tools
