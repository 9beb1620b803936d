// share.cc - a share of either kind.
#include "boojum/split/share.h"

#include "boojum/split/file_share.h"
#include "boojum/split/ram_share.h"

namespace lockfast::internal {

std::expected<std::unique_ptr<share>, memory_error> share::make(share_place where,
                                                                const std::shared_ptr<share_directory>& directory,
                                                                unsigned index, const share_content& content) {
  switch (where) {
    case share_place::ram: return ram_share::make(content);
    case share_place::file: return file_share::make(directory, index, content);
  }
  return std::unexpected(memory_error::unsupported);
}

}  // namespace lockfast::internal
