// vault_merge.cc - records between vaults: some into a new one, all of one into another.
#include <lockfast/vault.hpp>

#include <optional>
#include <utility>
#include <vector>

#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/error_note.h"
#include "boojum/vault/open_into.h"
#include "boojum/vault/vault_state.h"

namespace lockfast {
namespace {

using internal::locked_buffer;
using internal::record_names;
using internal::vault_state;
using result = std::expected<void, memory_error>;
using part = record_names::part;

// Records on their way from one vault to another, through locked memory.
class record_copier {
 public:
  record_copier(vault_state& from, vault_state& into) : from_(from), into_(into) {}

  // A record under a new id, with its name and label.
  std::expected<vault::id, memory_error> add(vault::id which) {
    if (auto done = describe(which); !done) return std::unexpected(done.error());
    const auto secret = open_into(from_, which, secret_room_);
    if (!secret) return std::unexpected(secret.error());
    const std::span<const std::byte> bytes = *secret;
    vault::id made;
    if (described_.name.empty()) {
      if (auto done = into_.insert({&bytes, 1}, {&made, 1}); !done) return std::unexpected(done.error());
    } else {
      const auto named = into_.insert(described_.name, bytes);
      if (!named) return named;
      made = *named;
    }
    if (described_.label.empty()) return made;
    if (auto done = into_.describe(made, part::label, described_.label); !done) {
      (void)into_.erase(made);
      return std::unexpected(done.error());
    }
    return made;
  }

  // A record's secret and label in the place of another's.
  result replace(vault::id which, vault::id there) {
    if (auto done = describe(which); !done) return done;
    const auto secret = open_into(from_, which, secret_room_);
    if (!secret) return std::unexpected(secret.error());
    if (auto done = into_.replace(there, *secret); !done) return done;
    return into_.describe(there, part::label, described_.label);
  }

  // The record of the same name in the other vault.
  std::expected<std::optional<vault::id>, memory_error> namesake(vault::id which) {
    if (auto done = describe(which); !done) return std::unexpected(done.error());
    if (described_.name.empty()) return std::nullopt;
    const auto found = into_.names().find(described_.name);
    if (found) return *found;
    if (found.error() == memory_error::not_found) return std::nullopt;
    return std::unexpected(found.error());
  }

 private:
  result describe(vault::id which) {
    const auto described = from_.names().open(which, text_room_);
    if (!described && described.error() != memory_error::not_found) return std::unexpected(described.error());
    described_ = described ? *described : record_names::description{which, {}, {}};
    return {};
  }

  vault_state& from_;
  vault_state& into_;
  locked_buffer secret_room_;
  locked_buffer text_room_;
  record_names::description described_{};
};

std::expected<vault::merged, memory_error> merge_all(record_copier& copier, const std::vector<vault::id>& all,
                                                     vault::same_name policy, std::vector<vault::id>& added) {
  if (policy == vault::same_name::refuse) {
    for (const vault::id which : all) {
      const auto there = copier.namesake(which);
      if (!there) return std::unexpected(there.error());
      if (*there) return std::unexpected(memory_error::name_taken);
    }
  }
  vault::merged told;
  for (const vault::id which : all) {
    const auto there = copier.namesake(which);
    if (!there) return std::unexpected(there.error());
    if (*there && policy == vault::same_name::keep) {
      ++told.kept;
    } else if (*there && policy == vault::same_name::replace) {
      if (auto done = copier.replace(which, **there); !done) return std::unexpected(done.error());
      ++told.replaced;
    } else {
      const auto made = copier.add(which);
      if (!made) return std::unexpected(made.error());
      added.push_back(*made);
      ++told.added;
    }
  }
  return told;
}

}  // namespace

std::expected<vault, memory_error> vault::extract(std::span<const id> which, std::span<id> made) const {
  return internal::noting([&] {
    return internal::catch_bad_alloc([&]() -> std::expected<vault, memory_error> {
      const auto use = begin_use();
      if (!use) return std::unexpected(use.error());
      vault into;
      if (into.state_ == nullptr) return std::unexpected(memory_error::denied);
      record_copier copier(*state_, *into.state_);
      for (std::size_t at = 0; at < which.size(); ++at) {
        const auto copied = copier.add(which[at]);
        if (!copied) return std::unexpected(copied.error());
        if (!made.empty()) made[at] = *copied;
      }
      return into;
    });
  });
}

std::expected<vault::merged, memory_error> vault::merge(const vault& from, same_name policy) {
  return internal::noting([&] {
    return internal::catch_bad_alloc([&]() -> std::expected<merged, memory_error> {
      const auto use = begin_use();
      if (!use) return std::unexpected(use.error());
      const auto other = from.begin_use();
      if (!other) return std::unexpected(other.error());
      std::vector<id> all;
      for (const id each : from.ids()) all.push_back(each);
      std::vector<id> added;
      added.reserve(all.size());
      record_copier copier(*from.state_, *state_);
      auto done = merge_all(copier, all, policy, added);
      if (!done) {
        for (const id each : added) (void)state_->erase(each);
      }
      return done;
    });
  });
}

}  // namespace lockfast
