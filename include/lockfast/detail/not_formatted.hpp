// not_formatted.hpp - keeps std::format and std::print from taking a type for a range and printing its elements. In C++23 each type that
// has begin() and end() is such a range; in C++20 none is. A type says so by
//
//    #if defined(__cpp_lib_format_ranges)
//    template <>
//    inline constexpr std::range_format std::format_kind<type> = std::range_format::disabled;
//    #endif
#ifndef LOCKFAST_DETAIL_NOT_FORMATTED_HPP
#define LOCKFAST_DETAIL_NOT_FORMATTED_HPP

#include <version>

#if defined(__cpp_lib_format_ranges)
#include <format>
#endif

#endif
