// lockfast.hpp - everything that is installed of Lockfast for C++: allocator.hpp and secret.hpp; in C++23, and where it was built with
// libcrypto, also what is in liblockfast-boojum.
#ifndef LOCKFAST_LOCKFAST_HPP
#define LOCKFAST_LOCKFAST_HPP

#include <lockfast/allocator.hpp>
#include <lockfast/secret.hpp>

// CMake defines it where the sources are here and libcrypto is not.
#if !__has_include(<lockfast/boojum.hpp>) && !defined(LOCKFAST_WITHOUT_LIBCRYPTO)
#define LOCKFAST_WITHOUT_LIBCRYPTO
#endif

#if defined(__cpp_lib_expected) && !defined(LOCKFAST_WITHOUT_LIBCRYPTO)

#include <lockfast/boojum.hpp>
#include <lockfast/error_detail.hpp>
#include <lockfast/libcrypto_memory.hpp>
#include <lockfast/passphrase.hpp>
#include <lockfast/procedures.hpp>
#include <lockfast/sealed_stream.hpp>
#include <lockfast/secret_input.hpp>
#include <lockfast/vault.hpp>

#else

// A program that uses one of these is told why it is not there.
#if defined(LOCKFAST_WITHOUT_LIBCRYPTO)
#define LOCKFAST_LEFT_OUT \
  [[deprecated("this Lockfast was built without it, since libcrypto 3.0 (Debian: libssl-dev) was missing")]]
#else
#define LOCKFAST_LEFT_OUT [[deprecated("needs C++23: -std=c++23 with GCC 12 or clang 19 or newer")]]
#endif
namespace lockfast {
class LOCKFAST_LEFT_OUT ram_memory;
class LOCKFAST_LEFT_OUT file_memory;
class LOCKFAST_LEFT_OUT non_contiguous_memory;
class LOCKFAST_LEFT_OUT refresher;
class LOCKFAST_LEFT_OUT passphrase;
class LOCKFAST_LEFT_OUT secret_input;
class LOCKFAST_LEFT_OUT sealed_stream;
class LOCKFAST_LEFT_OUT vault;
class LOCKFAST_LEFT_OUT procedures;
class LOCKFAST_LEFT_OUT libcrypto_memory;
}  // namespace lockfast
#undef LOCKFAST_LEFT_OUT

#endif

#endif
