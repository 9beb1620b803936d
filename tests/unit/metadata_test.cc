// metadata_test.cc - where the allocator's own records lie.
#include "allocator/base/metadata.h"

#include <doctest/doctest.h>

#include <cstddef>

#include "platform/platform.h"
#include "platform/simulated/simulated.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;
using lockfast::internal::metadata;

TEST_CASE("records lie between pages that are never opened") {
  const ending end = in_child([] {
    constexpr std::size_t size = std::size_t{1} << 20;
    const std::size_t page = lockfast::platform::page_size();
    const std::size_t reserved = simulated::bytes_reserved();
    const std::size_t opened = simulated::bytes_accessible();
    prove(metadata::take(size) != nullptr, "room for records");
    promised(simulated::bytes_accessible() == opened + size, "the records are open");
    promised(simulated::bytes_reserved() == reserved + size + 2 * page, "a page before them and one past them are not");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
