// lockfast.hpp - everything that Lockfast has for C++.
#ifndef LOCKFAST_LOCKFAST_HPP
#define LOCKFAST_LOCKFAST_HPP

#include <lockfast/allocator.hpp>
#include <lockfast/boojum.hpp>
#include <lockfast/passphrase.hpp>
#include <lockfast/secret.hpp>
#include <lockfast/vault.hpp>

#endif
