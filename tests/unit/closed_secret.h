// closed_secret.h - closed isolated secrets whose contents can be told from one another. In a child of a test.
#ifndef LOCKFAST_TESTS_UNIT_CLOSED_SECRET_H
#define LOCKFAST_TESTS_UNIT_CLOSED_SECRET_H

#include <lockfast/lockfast.h>

#include <cstddef>

#include "support/child.h"
#include "support/receipt.h"

inline void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

inline bool is_sealed(const void* secret) { return receipt_of(secret).rest == LOCKFAST_SEALED; }

inline struct lockfast_statistics statistics() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now;
}

inline void write_into(void* secret, std::size_t size, std::size_t which) {
  for (std::size_t at = 0; at < size; ++at)
    static_cast<unsigned char*>(secret)[at] = static_cast<unsigned char>(which * 7 + at);
}

inline bool holds(const void* secret, std::size_t size, std::size_t which) {
  for (std::size_t at = 0; at < size; ++at) {
    if (static_cast<const unsigned char*>(secret)[at] != static_cast<unsigned char>(which * 7 + at)) return false;
  }
  return true;
}

inline void* closed_secret(std::size_t size, std::size_t which) {
  void* const secret = lockfast_malloc_isolated(size);
  prove(secret != nullptr, "a secret");
  write_into(secret, size, which);
  prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
  return secret;
}

inline void open_whole(void* secret, std::size_t size, std::size_t which) {
  promised(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened");
  promised(holds(secret, size, which), "whole");
  promised(receipt_of(secret).rest == LOCKFAST_OPEN && receipt_of(secret).access == LOCKFAST_READONLY, "open");
  promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed again");
}

#endif
