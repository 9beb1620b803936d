// receipt.h - a secret's receipt, for use in a child: without it nothing more is to be said.
#ifndef LOCKFAST_TESTS_SUPPORT_RECEIPT_H
#define LOCKFAST_TESTS_SUPPORT_RECEIPT_H

#include <lockfast/lockfast.h>

#include "support/child.h"

inline lockfast_receipt receipt_of(const void* secret) {
  lockfast_receipt receipt = {};
  promised(lockfast_describe(secret, &receipt) == 0, "a receipt");
  return receipt;
}

#endif
