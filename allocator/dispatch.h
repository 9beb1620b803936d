// dispatch.h - from an address to what holds the secret there: a slab, or a span.
//
// Threads: from any thread, of any address that the program gives.
#ifndef LOCKFAST_ALLOCATOR_DISPATCH_H
#define LOCKFAST_ALLOCATOR_DISPATCH_H

#include "allocator/base/breach.h"
#include "allocator/grouped/slab_region.h"
#include "allocator/isolated/span_region.h"
#include "allocator/pages/region.h"

namespace lockfast::internal {

// Returns in_slab(slab&) or in_span(span&), or otherwise(breach): invalid_pointer outside every region, interior_pointer in a region
// where no slab or span is. Both take any address of theirs: they find out whether a secret begins there. The span is find()'s.
template <auto find = span_region::find_secret, class InSlab, class InSpan, class Otherwise>
auto dispatch(const void* address, InSlab in_slab, InSpan in_span, Otherwise otherwise) {
  region* const in = region::holding(address);
  if (in == nullptr) return otherwise(breach::invalid_pointer);
  if (in->holds() == region::kind::slabs) {
    slab* const at = static_cast<slab_region&>(*in).at(address);
    return at == nullptr ? otherwise(breach::interior_pointer) : in_slab(*at);
  }
  span* const at = find(address).at;
  return at == nullptr ? otherwise(breach::interior_pointer) : in_span(*at);
}

}  // namespace lockfast::internal

#endif
