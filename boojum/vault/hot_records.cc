// hot_records.cc - a short list, searched from end to end. A block is let go of when the mutex is free again.
#include "boojum/vault/hot_records.h"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

namespace lockfast::internal {

hot_records::hot_records(std::size_t capacity) : places_(new(std::nothrow) place[capacity]), capacity_(capacity) {
  if (places_ == nullptr) capacity_ = 0;
}

std::shared_ptr<detail::cell> hot_records::find(std::uint64_t id, std::uint32_t version) {
  const std::scoped_lock held(mutex_);
  for (place& each : std::span(places_.get(), capacity_)) {
    if (each.opened == nullptr || each.id != id || each.version != version) continue;
    each.used = ++uses_;
    return each.opened;
  }
  return nullptr;
}

void hot_records::keep(std::uint64_t id, std::uint32_t version, const std::shared_ptr<detail::cell>& opened) {
  if (capacity_ == 0) return;
  std::shared_ptr<detail::cell> gone;
  const std::scoped_lock held(mutex_);
  const std::span all(places_.get(), capacity_);
  place* taken = &*std::ranges::min_element(all, {}, [](const place& each) { return each.opened == nullptr ? 0 : each.used; });
  for (place& each : all) {
    if (each.opened != nullptr && each.id == id) taken = &each;
  }
  gone = std::exchange(taken->opened, opened);
  taken->id = id;
  taken->version = version;
  taken->used = ++uses_;
}

void hot_records::drop(std::uint64_t id) {
  std::shared_ptr<detail::cell> gone;
  const std::scoped_lock held(mutex_);
  for (place& each : std::span(places_.get(), capacity_)) {
    if (each.opened != nullptr && each.id == id) gone = std::exchange(each.opened, nullptr);
  }
}

bool hot_records::drop_all() {
  bool any = false;
  for (place& each : std::span(places_.get(), capacity_)) {
    std::shared_ptr<detail::cell> gone;
    const std::scoped_lock held(mutex_);
    gone = std::exchange(each.opened, nullptr);
    any |= gone != nullptr;
  }
  return any;
}

void hot_records::drop_all_after_fork() {
  for (place& each : std::span(places_.get(), capacity_)) each.opened = nullptr;
}

}  // namespace lockfast::internal
