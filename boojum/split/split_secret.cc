// split_secret.cc - split, join, re-mix.
#include "boojum/split/split_secret.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "boojum/crypto/cipher.h"
#include "boojum/crypto/drawn.h"
#include "boojum/memory/error_note.h"
#include "boojum/split/file_share.h"
#include "boojum/memory/lock_budget.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/scratch.h"

namespace lockfast::internal {
namespace {

constexpr std::size_t overhead = mac_key_size + mac_size;  // of M over S, bytes

// Blocks of this size go back at once. Smaller ones a thread keeps ready, with their page: the refresher's, where another call may
// need it. The prekey tells whether locks were scarce when the secret was made: to ask the system takes longer than all else.
constexpr std::size_t min_scratch(std::size_t prekey) { return prekey == split_secret::prekey_under_small_limit ? 2048 : 0; }

// So that a block of pages of its own, which ends where they do, begins where the room of mixing may.
constexpr std::size_t whole(std::size_t size) {
  return (size + mixing_room::alignment - 1) / mixing_room::alignment * mixing_room::alignment;
}

// libcrypto's frames may hold what it worked with.
struct stack_wiped_at_end {
  stack_wiped_at_end() = default;
  stack_wiped_at_end(const stack_wiped_at_end&) = delete;
  stack_wiped_at_end& operator=(const stack_wiped_at_end&) = delete;
  ~stack_wiped_at_end() { wipe_stack(); }
};

}  // namespace

// All that one call computes, in one scratch:  | room of mixing | K | T | masks, then C | seeds of prekeys | what is read from files |
class split_secret::work {
 public:
  enum class room_for : unsigned char { new_prekeys, no_prekeys };

  work(const options& of, std::size_t size, room_for what = room_for::new_prekeys)
      : prekey_(of.prekey),
        masked_(size + overhead),
        seeds_(what == room_for::no_prekeys ? 0 : (of.shares.size() - 1) * seed_size),
        files_(file_bytes(of)),
        all_(whole(std::max(mixing_room::size + overhead + masked_ + seeds_ + files_, min_scratch(prekey_)))) {
    if (!refused()) lockfast_wipe(masks().data(), masks().size());
  }

  [[nodiscard]] bool refused() const { return all_.refused(); }
  [[nodiscard]] mixing_room room() const { return mixing_room(all_.bytes().first<mixing_room::size>()); }
  [[nodiscard]] std::span<std::byte, mac_key_size> key() const { return at(mixing_room::size).first<mac_key_size>(); }
  [[nodiscard]] std::span<std::byte, mac_size> tag() const { return at(mixing_room::size + mac_key_size).first<mac_size>(); }
  [[nodiscard]] std::span<std::byte> masks() const { return at(mixing_room::size + overhead).first(masked_); }
  [[nodiscard]] std::span<std::byte> files() const { return all_.bytes().last(files_); }

  // Whether new prekeys were wanted, and the system gave no random bytes for them.
  [[nodiscard]] bool lacks_random() const { return lacks_random_; }

  // Draws the seeds of new prekeys.
  [[nodiscard]] result draw() {
    auto drawn = draw_bytes(seeds());
    lacks_random_ = !drawn;
    return drawn;
  }
  // A new prekey. Requires its seed.
  [[nodiscard]] share_content prekey(std::size_t which) const {
    return share_content(fresh_prekey{.seed = seeds().subspan(which * seed_size).first<seed_size>(),
                                      .size = prekey_,
                                      .index = static_cast<unsigned>(which),
                                      .masks = masks(),
                                      .room = room()});
  }

 private:
  std::span<std::byte> at(std::size_t offset) const { return all_.bytes().subspan(offset); }
  std::span<std::byte> seeds() const { return at(mixing_room::size + overhead + masked_).first(seeds_); }

  std::size_t file_bytes(const options& of) const {
    std::size_t bytes = 0;
    for (const share_place& each : of.shares) {
      if (each == share_place::file) bytes += file_share::room_for(&each == &of.shares.back() ? masked_ : prekey_);
    }
    return bytes;
  }

  std::size_t prekey_;
  std::size_t masked_;
  std::size_t seeds_;
  std::size_t files_;
  scratch all_;
  bool lacks_random_ = false;
};

// The shares of a secret while they can be read; closed again at the end.
class split_secret::opened {
 public:
  explicit opened(const split_secret& of) : of_(of) {}
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  ~opened() {
    for (std::size_t which = 0; which < count_; ++which) of_.shares_[which]->close();
  }

  [[nodiscard]] result open(purpose use, const work& in) {
    std::span<std::byte> room = in.files();
    for (std::size_t which = 0; which < of_.shares_.size(); ++which) {
      std::span<std::byte> mine;
      if (of_.options_.shares[which] == share_place::file) {
        mine = room.first(file_share::room_for(which + 1 == of_.shares_.size() ? in.masks().size() : of_.options_.prekey));
        room = room.subspan(mine.size());
      }
      const auto bytes = of_.shares_[which]->open(use, mine);
      if (!bytes) return std::unexpected(bytes.error());
      bytes_[which] = *bytes;
      ++count_;
    }
    return {};
  }

  [[nodiscard]] std::span<const std::span<const std::byte>> bytes() const { return std::span(bytes_).first(count_); }
  [[nodiscard]] std::span<const std::byte> masked() const { return bytes_[count_ - 1]; }

  [[nodiscard]] bool add_masks(const work& in) const {
    for (std::size_t which = 0; which + 1 < count_; ++which) {
      if (!add_mask(bytes_[which], static_cast<unsigned>(which), in.masks(), in.room())) return false;
    }
    return true;
  }

 private:
  const split_secret& of_;
  std::array<std::span<const std::byte>, max_shares> bytes_;
  std::size_t count_ = 0;
};

// The files to which shares move. Whoever makes one joins the rounds, whose mutex is taken before a secret's: so they are made
// before that, and those that no share has taken end after it is given back.
class split_secret::next_files {
 public:
  next_files() = default;
  next_files(const next_files&) = delete;
  next_files& operator=(const next_files&) = delete;
  ~next_files() {
    for (const auto& each : files_) {
      if (each != nullptr) (void)each->wipe();
    }
  }

  [[nodiscard]] result make(const split_secret& of) {
    const auto& places = of.options_.shares;
    for (std::size_t which = 0; which < places.size(); ++which) {
      if (places[which] != share_place::file) continue;
      const std::size_t size = which + 1 == places.size() ? of.size_ + overhead : of.options_.prekey;
      auto made = resting_file::create(of.directory_, file_share::room_for(size));
      if (!made) return std::unexpected(made.error());
      files_[which] = std::move(*made);
    }
    return {};
  }

  [[nodiscard]] std::shared_ptr<resting_file>& of_share(std::size_t which) { return files_[which]; }

 private:
  std::array<std::shared_ptr<resting_file>, max_shares> files_;
};

split_secret::split_secret(const options& wanted, std::size_t size) : options_(wanted), size_(size) {}

bool split_secret::has_file() const { return directory_ != nullptr; }

bool split_secret::is_here() {
  const std::scoped_lock held(mutex_);
  return !shares_.empty() && std::ranges::all_of(shares_, [](const auto& each) { return each->is_here(); });
}

// The shares but for the last one, whose masks it adds.
split_secret::made split_secret::begin(const options& wanted, std::size_t size, work& in) {
  if (auto drawn = in.draw(); !drawn) return std::unexpected(drawn.error());
  try {
    std::shared_ptr<split_secret> one(new split_secret(wanted, size));
    if (std::ranges::find(wanted.shares, share_place::file) != wanted.shares.end()) {
      auto directory = share_directory::open(wanted.directory);
      if (!directory) return std::unexpected(directory.error());
      one->directory_ = std::move(*directory);
    }
    one->shares_.reserve(wanted.shares.size());
    for (std::size_t which = 0; which + 1 < wanted.shares.size(); ++which) {
      auto each = share::make(wanted.shares[which], one->directory_, static_cast<unsigned>(which), in.prekey(which));
      if (!each) return std::unexpected(each.error());
      one->shares_.push_back(std::move(*each));
    }
    return one;
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

// The last one. Requires C in the masks of in.
split_secret::made split_secret::finish(std::shared_ptr<split_secret>&& begun, const work& in) {
  try {
    const auto last = static_cast<unsigned>(begun->shares_.size());
    auto masked = share::make(begun->options_.shares[last], begun->directory_, last, share_content(in.masks()));
    if (!masked) return std::unexpected(masked.error());
    begun->shares_.push_back(std::move(*masked));
    if (auto joined = join_refresher(begun); !joined) return std::unexpected(joined.error());
    return std::move(begun);
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

split_secret::made split_secret::split(std::span<const std::byte> secret, const options& wanted) {
  if (wanted.prekey == 0) {
    return catch_bad_alloc([&] {
      options chosen = wanted;
      chosen.prekey = locks_are_scarce() ? prekey_under_small_limit : usual_prekey;
      return split(secret, chosen);
    });
  }
  if (wanted.shares.size() < min_shares || wanted.shares.size() > max_shares || wanted.prekey < shortest_prekey ||
      wanted.prekey > max_prekey || secret.size() > max_secret) {
    return std::unexpected(memory_error::limit_exceeded);
  }
  const stack_wiped_at_end wiped;
  work in(wanted, secret.size());
  if (in.refused()) return std::unexpected(memory_error::denied);
  const std::span<std::byte> whole = in.masks();
  const auto key = whole.first<mac_key_size>();
  if (auto drawn = draw_bytes(key); !drawn) return std::unexpected(drawn.error());
  std::memcpy(whole.data() + key.size(), secret.data(), secret.size());
  if (!tag_of(key, secret, whole.last<mac_size>(), in.room())) {
    return std::unexpected(can_mix() ? memory_error::denied : memory_error::unsupported);
  }
  auto begun = begin(wanted, secret.size(), in);
  return begun ? finish(std::move(*begun), in) : begun;
}

std::expected<buffer<std::byte>, memory_error> split_secret::join() {
  keep_rounds_going();
  const stack_wiped_at_end wiped;
  const std::scoped_lock held(mutex_);
  if (shares_.empty()) return std::unexpected(memory_error::wiped);
  const bool mixes = options_.remix == lockfast::remix_policy::on_unlock;
  work in(options_, size_, mixes ? work::room_for::new_prekeys : work::room_for::no_prekeys);
  if (in.refused()) return std::unexpected(memory_error::denied);
  opened all(*this);
  if (auto done = all.open(mixes ? purpose::rewriting : purpose::reading, in); !done) return std::unexpected(done.error());
  if (!all.add_masks(in)) return std::unexpected(memory_error::denied);

  auto secret = buffer<std::byte>::filled(size_, [&](std::span<std::byte> out) { return unmask(in, all.masked(), out); });
  if (!secret || !mixes) return secret;
  next_files none;
  if (auto done = remix(in, all.bytes(), none, refresh_target::keep); !done) {
    // Without random bytes the shares stay as they are, and the secret is not lost to the process.
    if (!in.lacks_random()) return std::unexpected(done.error());
    forget_note();
  }
  return secret;
}

result split_secret::join_into(std::span<std::byte> out) {
  keep_rounds_going();
  const stack_wiped_at_end wiped;
  const std::scoped_lock held(mutex_);
  if (shares_.empty()) return std::unexpected(memory_error::wiped);
  const work in(options_, size_, work::room_for::no_prekeys);
  if (in.refused()) return std::unexpected(memory_error::denied);
  opened all(*this);
  if (auto done = all.open(purpose::reading, in); !done) return done;
  if (!all.add_masks(in)) return std::unexpected(memory_error::denied);
  auto done = unmask(in, all.masked(), out);
  if (!done) lockfast_wipe(out.data(), out.size());
  return done;
}

// Requires the masks of the present shares in the masks of in, and the last of these shares.
result split_secret::unmask(const work& in, std::span<const std::byte> masked, std::span<std::byte> out) const {
  const auto part = [&](std::span<std::byte> target, std::size_t offset) {
    std::memcpy(target.data(), masked.data() + offset, target.size());
    add(target, in.masks().subspan(offset, target.size()));
  };
  part(out, mac_key_size);
  part(in.key(), 0);
  if (!tag_of(in.key(), out, in.tag(), in.room())) return std::unexpected(memory_error::denied);
  part(in.key(), mac_key_size + size_);
  if (lockfast_equal(in.key().data(), in.tag().data(), mac_size) == 0) return std::unexpected(memory_error::damaged);
  return {};
}

// Requires the masks of the present shares in the masks of in.
result split_secret::remix(work& in, std::span<const std::span<const std::byte>> shares, next_files& files,
                           refresh_target where) {
  if (auto drawn = in.draw(); !drawn) return drawn;
  const auto next = [&](std::size_t which) {
    return which + 1 == shares_.size() ? share_content(in.masks()) : in.prekey(which);
  };
  // However this ends before all are prepared, those that are get back what they were.
  std::size_t prepared = 0;
  const auto abandon = [&](void*) {
    while (prepared-- > 0) shares_[prepared]->abandon(next(prepared));
  };
  std::unique_ptr<void, decltype(abandon)> undone(this, abandon);
  for (; prepared < shares_.size(); ++prepared) {
    // The old masks and the new ones are added to each other by now.
    if (prepared + 1 == shares_.size()) add(in.masks(), shares.back());
    if (auto ready = shares_[prepared]->prepare(next(prepared), where, files.of_share(prepared)); !ready) return ready;
  }
  (void)undone.release();
  for (std::size_t which = 0; which < shares_.size(); ++which) shares_[which]->commit(next(which));
  result first;
  for (const auto& each : shares_) {
    if (auto done = each->settle(); !done && first) first = done;
  }
  return first;
}

result split_secret::refresh(refresh_target where) {
  keep_rounds_going();
  const stack_wiped_at_end wiped;
  next_files files;
  if (where == refresh_target::change) {
    if (auto done = files.make(*this); !done) return done;
  }
  const std::scoped_lock held(mutex_);
  if (shares_.empty()) return std::unexpected(memory_error::wiped);
  work in(options_, size_);
  if (in.refused()) return std::unexpected(memory_error::denied);
  opened all(*this);
  if (auto done = all.open(purpose::rewriting, in); !done) return done;
  if (!all.add_masks(in)) return std::unexpected(memory_error::denied);
  return remix(in, all.bytes(), files, where);
}

split_secret::made split_secret::copy() {
  keep_rounds_going();
  const stack_wiped_at_end wiped;
  work in(options_, size_);
  if (in.refused()) return std::unexpected(memory_error::denied);
  auto begun = begin(options_, size_, in);
  if (!begun) return begun;
  {
    const std::scoped_lock held(mutex_);
    if (shares_.empty()) return std::unexpected(memory_error::wiped);
    opened all(*this);
    if (auto done = all.open(purpose::reading, in); !done) return std::unexpected(done.error());
    if (!all.add_masks(in)) return std::unexpected(memory_error::denied);
    add(in.masks(), all.masked());
  }
  return finish(std::move(*begun), in);
}

result split_secret::wipe() {
  const std::scoped_lock held(mutex_);
  result first;
  for (const auto& each : shares_) {
    if (auto done = each->wipe(); !done && first) first = done;
  }
  shares_.clear();
  return first;
}

void split_secret::round() {
  if (!has_file() || ++rounds_ % refresher::file_periods == 0) (void)refresh(refresh_target::keep);
}

}  // namespace lockfast::internal
