// resting_file.cc - creation without a name or under a random one, and the end of a file.
#include "boojum/files/resting_file.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>
#include <utility>

#include "boojum/memory/error_note.h"
#include "boojum/memory/fork.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

constexpr std::array<std::byte, 16384> zeros{};
constexpr int max_names = 16;  // that another process may take before a creation is given up

}  // namespace

resting_file::resting_file(std::shared_ptr<share_directory> directory, std::uint64_t size)
    : directory_(std::move(directory)), size_(size), generation_(fork_generation()) {}

std::expected<void, memory_error> resting_file::result_of(platform::error refusal, const char* what) const {
  if (refusal != 0) return refused_by_system(refusal, what, directory_->path().c_str());
  return {};
}

platform::error resting_file::open() {
  const platform::error refusal = platform::create_nameless(directory_->opened(), opened_);
  if (refusal != EOPNOTSUPP) return refusal;
  platform::error taken = 0;
  for (int attempt = 0; attempt < max_names; ++attempt) {
    std::array<std::uint64_t, 2> random{};
    taken = platform::try_random(std::as_writable_bytes(std::span(random)));
    if (taken != 0) break;
    std::snprintf(name_.data(), name_.size(), "%s%016llx%016llx", share_prefix, static_cast<unsigned long long>(random[0]),
                  static_cast<unsigned long long>(random[1]));
    taken = platform::create_named(directory_->opened(), name_.data(), opened_);
    if (taken == 0) return 0;
    if (taken != EEXIST && taken != EAGAIN) break;
  }
  name_[0] = 0;
  return taken;
}

std::expected<std::shared_ptr<resting_file>, memory_error> resting_file::create(
    const std::shared_ptr<share_directory>& directory, std::uint64_t size) {
  std::shared_ptr<resting_file> made;
  try {
    made.reset(new resting_file(directory, size));
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
  if (auto done = made->result_of(made->open(), "cannot create a file in"); !done) return std::unexpected(done.error());
  if (auto done = made->wipe(0, size); !done) return std::unexpected(done.error());
  if (auto joined = join_refresher(made); !joined) return std::unexpected(joined.error());
  return made;
}

resting_file::~resting_file() {
  if (opened_ == platform::file::none) return;
  if (is_ours()) {
    (void)wipe();
  } else {
    platform::close(opened_);
  }
}

bool resting_file::is_ours() const { return opened_ != platform::file::none && generation_ == fork_generation(); }

std::expected<void, memory_error> resting_file::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (!is_ours()) return std::unexpected(memory_error::unavailable);
  std::uint64_t size = 0;
  if (auto done = result_of(platform::size_of(opened_, size), "cannot read a file in"); !done) return done;
  if (size != size_) return std::unexpected(memory_error::damaged);
  const platform::error refusal = platform::read_at(opened_, offset, out);
  if (refusal == ENODATA) return std::unexpected(memory_error::damaged);
  return result_of(refusal, "cannot read a file in");
}

std::expected<void, memory_error> resting_file::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!is_ours()) return std::unexpected(memory_error::unavailable);
  return result_of(platform::write_at(opened_, offset, bytes), "cannot write a file in");
}

std::expected<void, memory_error> resting_file::wipe(std::uint64_t offset, std::uint64_t size) {
  if (!is_ours()) return std::unexpected(memory_error::unavailable);
  const std::uint64_t end = offset + size;
  for (; offset < end; offset += zeros.size()) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), end - offset));
    const auto refusal = platform::write_at(opened_, offset, std::span(zeros).first(length));
    if (refusal != 0) return result_of(refusal, "cannot write a file in");
  }
  return {};
}

void resting_file::rest() {
  cached_.store(true, std::memory_order_relaxed);
  if (!rounds_go_on()) round();
}

void resting_file::round() {
  // A child has no use for the file, and its mutex may be held by a thread that the child does not have.
  if (generation_ != fork_generation()) return;
  const std::scoped_lock held(closing_mutex_);
  if (!is_ours() || !cached_.exchange(false, std::memory_order_relaxed)) return;
  // What is not on the disk yet cannot be dropped: then the next round tries.
  if (platform::sync(opened_) != 0) cached_.store(true, std::memory_order_relaxed);
  platform::forget(opened_);
}

std::expected<void, memory_error> resting_file::wipe() {
  if (opened_ == platform::file::none) return {};
  // In a child nobody else has the mutex, and somebody who is not there may hold it.
  if (!is_ours()) return std::unexpected(memory_error::unavailable);
  const std::scoped_lock held(closing_mutex_);
  platform::error first = overwrite(opened_);
  platform::forget(opened_);
  if (first == EBADF && name_[0] != 0) {
    // Closed behind our back: it is found again by its name.
    first = remove_left_over(directory_->opened(), name_.data());
  } else if (name_[0] != 0) {
    // A file that could not be overwritten is not better off with its name.
    const platform::error refusal = platform::remove(directory_->opened(), name_.data());
    if (first == 0) first = refusal;
  }
  platform::close(std::exchange(opened_, platform::file::none));
  return result_of(first, "cannot overwrite and remove a file in");
}

}  // namespace lockfast::internal
