// lockfast.hpp - everything that is installed of Lockfast for C++. What needs libcrypto (boojum.hpp, passphrase.hpp, procedures.hpp, vault.hpp) is
// left out of a package that was built without it.
#ifndef LOCKFAST_LOCKFAST_HPP
#define LOCKFAST_LOCKFAST_HPP

#include <lockfast/allocator.hpp>
#include <lockfast/secret.hpp>

#if __has_include(<lockfast/boojum.hpp>)
#include <lockfast/boojum.hpp>
#include <lockfast/error_detail.hpp>
#include <lockfast/libcrypto_memory.hpp>
#include <lockfast/passphrase.hpp>
#include <lockfast/procedures.hpp>
#include <lockfast/secret_input.hpp>
#include <lockfast/vault.hpp>
#endif

#endif
