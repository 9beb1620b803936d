// receipt_test.cc - for each combination of policies: what the receipt says, and that the kernel's own account agrees.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "account.h"
#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

namespace {

std::string text_of(const char* path) {
  char text[256] = {};
  std::FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return {};
  (void)!std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  return text;
}

// By the rule of docs/threat_model.md: the kernel offers it, and has a device to resume from.
bool can_hibernate() {
  const std::string device = text_of("/sys/power/resume");
  return text_of("/sys/power/state").find("disk") != std::string::npos && !device.empty() && device.rfind("0:0", 0) != 0;
}

// What the receipts must say of hidden memory.
int hide_error(const std::string& hidden, bool forbidden) {
  if (hidden == "off" || (hidden == "auto" && can_hibernate())) return ECANCELED;
  return forbidden ? ENOSYS : hidden_refusal();
}

void check_receipts(const holding& held, int wanted_hide_error) {
  for (const unsigned kind : live_secrets) {
    const lockfast_receipt& receipt = held.receipts[kind];
    promised(receipt.hide_error == wanted_hide_error, "the reason for no hidden memory");
    promised(receipt.backing == (wanted_hide_error == 0 ? LOCKFAST_HIDDEN : LOCKFAST_LOCKED), "the backing");
    promised(receipt.lock_error == 0 && receipt.dump_error == 0 && receipt.fork_error == 0, "all else was had");
    promised(receipt.size == lockfast_size(held.at[kind]), "the size");
    const bool in_group = kind == grouped || kind == compartment || kind == compartment_closed;
    promised(receipt.placement == (in_group ? LOCKFAST_GROUPED : LOCKFAST_ISOLATED), "the placement");
    const std::string fault = untruth(held.at[kind]);
    promised(fault.empty(), fault.c_str());
    lockfast_receipt now;
    promised(lockfast_describe(held.at[kind], &now) == 0, "a receipt");
    const bool closed = kind == isolated_closed || kind == compartment_closed;
    promised(now.access == (closed ? LOCKFAST_NOACCESS : LOCKFAST_READWRITE), "the access");
  }
}

}  // namespace

TEST_CASE("receipts and counts are exact under every combination of hidden, lock and fork, with memfd_secret and without") {
  if (!locks_are_real()) return;
  for (const bool forbidden : {false, true}) {
    for (const std::string hidden : {"on", "off", "auto"}) {
      for (const std::string lock : {"required", "preferred"}) {
        for (const std::string fork : {"inherit", "wipe", "absent"}) {
          const std::string text = "hidden=" + hidden + ",lock=" + lock + ",fork=" + fork;
          CAPTURE(text);
          CAPTURE(forbidden);
          check_clean(in_child([&] {
            if (forbidden) forbid_call(SYS_memfd_secret, ENOSYS);
            options(text);
            const int wanted = hide_error(hidden, forbidden);
            const holding held(1);
            check_receipts(held, wanted);
            struct lockfast_statistics counted;
            lockfast_get_statistics(&counted);
            promised(counted.live == 6 && counted.live_isolated == 3 && counted.live_grouped == 3, "counts by placement");
            promised(counted.live_hidden == (wanted == 0 ? 6 : 0) && counted.live_unlocked == 0, "counts by backing");
            promised(counted.bytes_locked >= 4 * page_size() + (1 << 20), "the bytes that are held in RAM");
            promised(counted.maps_used > 0 && counted.maps_used < counted.map_limit, "maps");
            held.free_all();
            lockfast_get_statistics(&counted);
            promised(counted.live == 0 && counted.live_hidden == 0, "none left");
          }));
        }
      }
    }
  }
}

TEST_CASE("an unlocked secret's receipt has the reason for either backing that was not had") {
  if (!locks_are_real()) return;
  for (const std::string hidden : {"on", "off"}) {
    CAPTURE(hidden);
    check_clean(in_child([&] {
      become_ordinary(0);
      options("hidden=" + hidden + ",lock=preferred");
      const holding held(1);
      for (const unsigned kind : live_secrets) {
        const lockfast_receipt& receipt = held.receipts[kind];
        promised(receipt.backing == LOCKFAST_UNLOCKED && receipt.lock_error != 0, "unlocked, with a reason");
        promised(hidden == "off" ? receipt.hide_error == ECANCELED : receipt.hide_error != 0, "not hidden, with a reason");
        promised(receipt.dump_error == 0 && receipt.fork_error == 0, "all else was had");
        const std::string fault = untruth(held.at[kind]);
        promised(fault.empty(), fault.c_str());
      }
      struct lockfast_statistics counted;
      lockfast_get_statistics(&counted);
      promised(counted.live_unlocked == 6 && counted.live_hidden == 0 && counted.lock_limit == 0, "counts");
    }));
  }
}
