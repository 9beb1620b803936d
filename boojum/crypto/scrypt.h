// scrypt.h - scrypt (RFC 7914), whose password never leaves locked memory.
//
//    password, salt  --PBKDF2-->  B  --ROMix-->  B'          password, B'  --PBKDF2-->  key
//                    locked       locked   V, 128 * r * N bytes, ordinary memory, wiped
//
// libcrypto's keeps a copy of the password in the ordinary heap for as long as it stretches. What V holds does not lead to the
// key without the password; it does let a guess of the password be checked without the stretching.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_SCRYPT_H
#define LOCKFAST_BOOJUM_CRYPTO_SCRYPT_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::internal {

// Requires a password in locked memory, cost (log2 of N) of 1 to 24, block (r) and parallel (p) of 1 to 64. False where there is
// no memory; then out is as it was.
[[nodiscard]] bool scrypt(std::span<const std::byte> password, std::span<const std::byte> salt, unsigned cost,
                          std::uint32_t block, std::uint32_t parallel, std::span<std::byte> out);

}  // namespace lockfast::internal

#endif
