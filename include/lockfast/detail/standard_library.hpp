// standard_library.hpp - the name of the standard library, and of its binary interface, with which a program is compiled.
//
// Strings, vectors and functions are passed to liblockfast-boojum and back by value, and have another layout in each standard
// library: with the wrong one a program would crash. The classes of liblockfast-boojum are in an inline namespace of this name, so
// that such a program does not link: "undefined reference to lockfast::libcxx_1::vault::vault()".
#ifndef LOCKFAST_DETAIL_STANDARD_LIBRARY_HPP
#define LOCKFAST_DETAIL_STANDARD_LIBRARY_HPP

#include <version>

#if !defined(__cpp_lib_expected)
#error "Lockfast's memories, passphrase and vault need C++23: -std=c++23 with GCC 12 or clang 19 or newer."
#include <lockfast/see_the_error_above>  // which there is not: a compiler goes on after #error, and ends here
#endif

#define LOCKFAST_JOINED_NAME(name, number) name##number
#define LOCKFAST_JOINED(name, number) LOCKFAST_JOINED_NAME(name, number)

#if defined(_LIBCPP_VERSION)
#define LOCKFAST_STANDARD_LIBRARY LOCKFAST_JOINED(libcxx_, _LIBCPP_ABI_VERSION)
#elif defined(__GLIBCXX__) && defined(_GLIBCXX_DEBUG)
#define LOCKFAST_STANDARD_LIBRARY libstdcxx_debug
#elif defined(__GLIBCXX__) && !_GLIBCXX_USE_CXX11_ABI
#define LOCKFAST_STANDARD_LIBRARY libstdcxx_before_cxx11
#elif defined(__GLIBCXX__)
#define LOCKFAST_STANDARD_LIBRARY libstdcxx
#else
#define LOCKFAST_STANDARD_LIBRARY other_standard_library
#endif

#endif
