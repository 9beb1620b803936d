// account.cc - receipts against /proc/self/smaps.
#include "account.h"

#include <lockfast/lockfast.h>

#include "support/page_state.h"

std::string untruth(const void* secret) {
  lockfast_receipt receipt;
  if (lockfast_describe(secret, &receipt) != 0) return "no receipt";
  const page_state state = state_of(secret);
  if (!state.mapped) return "not mapped";
  const bool hidden = receipt.backing == LOCKFAST_HIDDEN;
  if (hidden != state.hidden) return hidden ? "not hidden, by the kernel's account" : "hidden, by the kernel's account";
  if (hidden != (receipt.hide_error == 0)) return "the reason for no hidden memory";
  if ((receipt.backing == LOCKFAST_UNLOCKED) == state.locked) return "the lock, by the kernel's account";
  if ((receipt.backing == LOCKFAST_UNLOCKED) != (receipt.lock_error != 0)) return "the reason for no lock";
  if (state.undumpable != (receipt.dump_error == 0)) return "dumps, by the kernel's account";
  return {};
}
