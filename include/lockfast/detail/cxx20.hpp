// cxx20.hpp - stops an older language standard with one sentence, before the headers that need C++20 give a hundred errors.
#ifndef LOCKFAST_DETAIL_CXX20_HPP
#define LOCKFAST_DETAIL_CXX20_HPP

#if defined(_MSVC_LANG) ? _MSVC_LANG < 202002L : __cplusplus < 202002L
#error "Lockfast's C++ types need C++20: -std=c++20 with GCC 12 or clang 16 or newer. The C interface, lockfast.h, needs C++11."
#include <lockfast/see_the_error_above>  // which there is not: a compiler goes on after #error, and ends here
#endif

#endif
