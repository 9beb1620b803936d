// claims_model.cc - the claims, and their verification page by page and byte by byte.
#include "fuzz/claims_model.h"

#include <lockfast/lockfast.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fuzz/probe.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {

namespace {

void set_range(std::vector<std::uint8_t>& bytes, std::size_t offset, std::size_t length, std::uint8_t value) {
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), length, value);
}

void must_succeed(int result, const char* name) {
  if (result != 0) disagree("%s is refused: %s", name, std::strerror(errno));
  if (errno != 0) disagree("%s succeeds and changes errno: %s", name, std::strerror(errno));
}

}  // namespace

claims_model::claims_model() : contents_(page_count * page_size()), claims_(contents_.size()) {
  void* map = mmap(nullptr, contents_.size() + 2 * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) disagree("no buffer to claim: %s", std::strerror(errno));
  buffer_ = static_cast<std::uint8_t*>(map) + page_size();
  if (mprotect(buffer_, contents_.size(), PROT_READ | PROT_WRITE) != 0) disagree("no access to the buffer");
}

void claims_model::fill(std::size_t offset, std::size_t length, std::uint8_t value) {
  std::fill_n(buffer_ + offset, length, value);
  set_range(contents_, offset, length, value);
}

void claims_model::wipe(std::size_t offset, std::size_t length) {
  lockfast_wipe(buffer_ + offset, length);
  set_range(contents_, offset, length, 0);
  verify();
}

void claims_model::lock(std::size_t offset, std::size_t length) {
  errno = 0;
  must_succeed(lockfast_mlock(buffer_ + offset, length), "mlock");
  set_range(claims_, offset, length, 1);
  verify();
}

void claims_model::unlock(std::size_t offset, std::size_t length) {
  errno = 0;
  must_succeed(lockfast_munlock(buffer_ + offset, length), "munlock");
  set_range(claims_, offset, length, 0);
  set_range(contents_, offset, length, 0);
  verify();
}

void claims_model::lock_across_the_end(std::size_t offset) {
  if (!locks_are_real()) return;
  if (lockfast_mlock(buffer_ + offset, size() - offset + 1) != -1) disagree("mlock of an inaccessible page succeeds");
  if (errno != ENOMEM) disagree("mlock of an inaccessible page: %s", std::strerror(errno));
  verify();
}

void claims_model::lock_past_all_addresses(std::size_t offset) {
  if (lockfast_mlock(buffer_ + offset, SIZE_MAX - offset) != -1) disagree("mlock of all addresses succeeds");
  if (errno != ENOMEM) disagree("mlock of all addresses: %s", std::strerror(errno));
  verify();
}

bool claims_model::claimed(std::size_t page) const {
  return std::memchr(claims_.data() + page * page_size(), 1, page_size()) != nullptr;
}

void claims_model::verify() const {
  if (std::memcmp(buffer_, contents_.data(), size()) != 0) {
    const auto found = std::mismatch(contents_.begin(), contents_.end(), buffer_);
    disagree("byte %td of the buffer is %02x, not %02x", found.first - contents_.begin(), *found.second, *found.first);
  }
  if (!locks_are_real()) return;
  if (locked(buffer_ - 1) || locked(buffer_ + size())) disagree("a page beside the buffer is locked");
  for (std::size_t page = 0; page < page_count; ++page) {
    const std::uint8_t* const address = buffer_ + page * page_size();
    if (locked(address) != claimed(page)) disagree("page %zu: claimed %d, locked %d", page, claimed(page), !claimed(page));
    if (claimed(page) && !resident(address)) disagree("page %zu is claimed and not in RAM", page);
  }
}

void claims_model::verify_map_flags() const {
  const map_flags flags;
  for (std::size_t page = 0; page < page_count; ++page) {
    const map_flags::map* const map = flags.find(buffer_ + page * page_size());
    if (map == nullptr) disagree("page %zu is not mapped", page);
    if (map->undumpable != claimed(page))
      disagree("page %zu: claimed %d, undumpable %d", page, claimed(page), map->undumpable);
    if (locks_are_real() && map->locked != claimed(page))
      disagree("page %zu: claimed %d, smaps differs", page, claimed(page));
  }
}

}  // namespace lockfast::fuzz
