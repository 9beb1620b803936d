// keys.cc - protection keys, on processors that have them: x86-64 with PKU.
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/errno_saver.h"
#include "platform/linux/filter.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {

// pkeys(7). The rights register is read and written directly: not every C library has pkey_get and pkey_set.
#if defined(__x86_64__)
namespace {

constexpr unsigned deny_access = 1;
constexpr unsigned deny_write = 2;

unsigned key_rights() {
  unsigned rights = 0;
  unsigned unused = 0;
  __asm__ volatile("rdpkru" : "=a"(rights), "=d"(unused) : "c"(0));
  return rights;
}

void set_key_rights(unsigned rights) { __asm__ volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory"); }

}  // namespace

key take_key() {
  const errno_saver kept;
  // A key is of no use to a process that may not give it to pages.
  if (forbidden(risky_call::take_key) != 0 || forbidden(risky_call::give_key) != 0) return no_key;
  const long taken = syscall(SYS_pkey_alloc, 0, 0);
  return taken > 0 ? static_cast<key>(taken) : no_key;
}

error protect_by_key(std::byte* address, std::size_t size, access to, key through) {
  const errno_saver kept;
  if (const error refusal = forbidden(risky_call::give_key); refusal != 0) return refusal;
  return result_of(syscall(SYS_pkey_mprotect, address, size, protection_of(to), through));
}

void set_key_access(key of, access to) {
  const unsigned shift = 2 * static_cast<unsigned>(of);
  const unsigned denied = to == access::none ? deny_access | deny_write : to == access::read ? deny_write : 0;
  set_key_rights((key_rights() & ~((deny_access | deny_write) << shift)) | denied << shift);
}

access key_access(key of) {
  const unsigned denied = key_rights() >> (2 * static_cast<unsigned>(of));
  if ((denied & deny_access) != 0) return access::none;
  return (denied & deny_write) != 0 ? access::read : access::read_write;
}
#else
key take_key() { return no_key; }
error protect_by_key(std::byte*, std::size_t, access, key) { return ENOTSUP; }
void set_key_access(key, access) {}
access key_access(key) { return access::read_write; }
#endif

}  // namespace lockfast::platform
