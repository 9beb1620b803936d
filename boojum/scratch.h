// scratch.h - bytes for the length of a call: locked in RAM while they are used, wiped when they go.
//
// Everything that this layer computes on the way between a secret and its shares lies in one of these, never on the stack and
// never in the ordinary heap.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_SCRATCH_H
#define LOCKFAST_BOOJUM_SCRATCH_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <memory>
#include <span>

namespace lockfast::internal {

class scratch {
 public:
  // Null where lockfast_malloc refuses.
  explicit scratch(std::size_t size) : bytes_(static_cast<std::byte*>(lockfast_malloc(size))), size_(size) {}

  [[nodiscard]] bool refused() const { return bytes_ == nullptr; }
  [[nodiscard]] std::span<std::byte> bytes() const { return {bytes_.get(), refused() ? 0 : size_}; }
  [[nodiscard]] std::byte* data() const { return bytes_.get(); }

 private:
  struct free_wiped {
    void operator()(std::byte* bytes) const { lockfast_free(bytes); }
  };

  std::unique_ptr<std::byte, free_wiped> bytes_;
  std::size_t size_;
};

}  // namespace lockfast::internal

#endif
