// memory_error.hpp - why a C++ type of Lockfast refused; what every std::expected of this library carries.
#ifndef LOCKFAST_MEMORY_ERROR_HPP
#define LOCKFAST_MEMORY_ERROR_HPP

#include <string_view>

namespace lockfast {

// Why a function refused.
enum class memory_error : unsigned char {
  zero_size,         // a secret of no bytes was asked for
  denied,            // the system or the policy gave no memory, lock, access or random bytes
  limit_exceeded,    // over a limit of this library: a size, a count of shares
  file_system,       // a file could not be created, read, written or synced
  damaged,           // what was stored is not what is there
  wiped,             // it was wiped, or moved away
  not_found,         // there is no such record or file
  wrong_passphrase,  // or a file that was sealed under another one
  busy,              // somebody reads or writes it
  unavailable,       // it is not in this process: it stayed with the parent of a fork
  expired,           // a passphrase was idle for too long and is gone, or a vault was locked by time
  unsupported,       // the system or the cipher library cannot do it, or a file is of a newer version
  cancelled,         // the caller stopped it
  outdated,          // a file is older than the caller accepts, or another program saved there since it was loaded
  name_taken,        // another record has this name
  locked             // the vault is locked until its passphrase is given
};

// One sentence without a full stop, for a log.
[[nodiscard]] constexpr std::string_view message(memory_error error) {
  switch (error) {
    case memory_error::zero_size: return "a secret needs at least one byte";
    case memory_error::denied: return "there is no memory, no lock on it, no access to it, or there are no random bytes";
    case memory_error::limit_exceeded: return "a size, a count or a cost is out of its range";
    case memory_error::file_system: return "a file could not be created, read, written or synced";
    case memory_error::damaged: return "what is stored there was changed, or was never stored by this library";
    case memory_error::wiped: return "the secret was wiped or moved away";
    case memory_error::not_found: return "there is no such record or file";
    case memory_error::wrong_passphrase: return "the passphrase is wrong, or the header of the file was changed";
    case memory_error::busy: return "another thread or process uses it now";
    case memory_error::unavailable: return "the secret is not in this process: it stayed with the parent";
    case memory_error::expired:
      return "its time is over: the passphrase was wiped, or the vault locked; give the passphrase again";
    case memory_error::unsupported:
      return "the system or libcrypto lacks what it needs, or the file is of a newer version than this library";
    case memory_error::cancelled: return "the caller stopped it";
    case memory_error::outdated: return "the file is older than the caller accepts, or another program saved there since";
    case memory_error::name_taken: return "another record of the vault has this name";
    case memory_error::locked: return "the vault is locked: give its passphrase";
  }
  return "no such error";
}

}  // namespace lockfast

#endif
