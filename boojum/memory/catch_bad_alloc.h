// catch_bad_alloc.h - where the ordinary heap is short: a refusal, as everywhere else, and no exception.
#ifndef LOCKFAST_BOOJUM_MEMORY_CATCH_BAD_ALLOC_H
#define LOCKFAST_BOOJUM_MEMORY_CATCH_BAD_ALLOC_H

#include <lockfast/memory_error.hpp>

#include <expected>
#include <new>

namespace lockfast::internal {

// What body() gives, a std::expected; refused when it runs out of memory.
template <class Body>
auto catch_bad_alloc(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

}  // namespace lockfast::internal

#endif
