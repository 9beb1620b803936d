// vault_disk.cc - the key of a file, taken out of the buffer in which it is made.
#include "boojum/vault_disk.h"

#include <algorithm>

namespace lockfast::internal {

std::expected<void, memory_error> file_key::make(const file_key_maker& by, const vault_file_header& header) {
  if (bytes_.refused()) return std::unexpected(memory_error::refused);
  const auto made = by(header);
  if (!made) return std::unexpected(made.error());
  const auto view = made->try_read();
  if (!view) return std::unexpected(view.error());
  std::copy_n(view->data(), key_size, bytes_.data());
  return {};
}

}  // namespace lockfast::internal
