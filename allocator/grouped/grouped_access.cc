// grouped_access.cc - the access of single grouped secrets, and what a closed one needs to be looked at.
#include <cerrno>

#include "allocator/grouped/grouped_heap.h"
#include "platform/thread_local.h"

namespace lockfast::internal {

platform::access grouped_heap::open(slab& in, std::size_t index) {
  const auto before = in.header(index).access();
  if (before == platform::access::read_write) return before;
  slab_bin* const list = in.list;
  if (list->protect({&in, index}, platform::access::read_write) != 0) end_process(breach::access_refused, in.signal);
  return before;
}

platform::error grouped_heap::protect(slab& in, const void* secret, platform::access to) {
  const std::size_t index = claim(in, secret);
  // A slot that this thread has at hand would hold its page open.
  if (to != platform::access::read_write) drain(platform::of_thread(thread_caches)[family_]->bin(in.bin_index), rest::ends);
  slab_bin* const list = in.list;
  return list->protect({&in, index}, to);
}

platform::error grouped_heap::check(slab& in, std::size_t index) {
  const auto verdict = [&] { return in.intact(index) ? 0 : EFAULT; };
  if (in.header(index).access() != platform::access::none) return verdict();
  slab_bin* const list = in.list;
  return list->while_open(in, verdict);
}

}  // namespace lockfast::internal
