// split_secret.h - the shares of one secret, and how they are made, joined and mixed anew.
//
//    M = K | S | T                    K: 16 random bytes, S: the secret, T: its tag under K
//    share 1 .. n-1:  R_i             prekeys, random
//    share n:         C = M ^ mask(R_1) ^ ... ^ mask(R_n-1)
//
//    split:   draw K and R_i, compute T and the masks, C
//    join:    M = C ^ masks; verify T
//    re-mix:  R_i' = R_i ^ a random stream;  C' = C ^ masks ^ masks'          M is not formed
//
// Invariants
//   1. Between calls no share can be touched, and no memory holds M or S, or a mask of the shares that are.
//   2. A re-mix that is refused has changed no share. One that is done has changed every byte of every share's contents, but
//      for those that chance leaves.
//   3. Whatever is computed lies in one scratch, in locked memory, wiped before the call returns; but for fresh prekeys, which lie where
//      they are to rest.
//
// Threads: any; the secret's mutex serialises them.
#ifndef LOCKFAST_BOOJUM_SPLIT_SPLIT_SECRET_H
#define LOCKFAST_BOOJUM_SPLIT_SPLIT_SECRET_H

#include <lockfast/boojum.hpp>

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "boojum/split/share_masks.h"
#include "boojum/memory/refresher.h"
#include "boojum/split/share.h"

namespace lockfast::internal {

class share_probe;

class split_secret final : public refreshable {
 public:
  using options = non_contiguous_memory::options;

  static constexpr std::size_t min_shares = 2;
  static constexpr std::size_t max_shares = 16;
  static constexpr std::size_t shortest_prekey = 32;  // bytes, as all that follow
  static constexpr std::size_t max_prekey = 64 * 1024;
  // What a prekey of 0 in the options stands for. A share of the short one takes one page.
  static constexpr std::size_t usual_prekey = 16 * 1024;
  static constexpr std::size_t prekey_under_small_limit = 2 * 1024;
  static constexpr std::uint64_t max_secret = std::uint64_t{1} << 32;

  using made = std::expected<std::shared_ptr<split_secret>, memory_error>;

  [[nodiscard]] static made split(std::span<const std::byte> secret, const options& wanted);
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> join();
  // Joins into locked memory of the caller's own, size() bytes, and draws no new shares, whatever the options say. A refusal
  // leaves out wiped.
  [[nodiscard]] result join_into(std::span<std::byte> out);
  [[nodiscard]] result refresh(refresh_target where);
  [[nodiscard]] made copy();
  [[nodiscard]] result wipe();

  // Whether this process has every share: false in a forked child that has no copy, and once it was wiped.
  [[nodiscard]] bool is_here();

  // As asked for, with the prekey that was chosen.
  [[nodiscard]] const options& chosen() const { return options_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // The refresher's: re-mixes, a secret with a file once in refresher::file_periods rounds. What is refused now is tried again.
  void round() override;
  [[nodiscard]] std::mutex* held_over_fork() override { return &mutex_; }

 private:
  class work;
  class opened;
  class next_files;
  friend class share_probe;  // the tests' look at what lies at rest

  split_secret(const options& wanted, std::size_t size);
  [[nodiscard]] static made begin(const options& wanted, std::size_t size, work& in);
  [[nodiscard]] static made finish(std::shared_ptr<split_secret>&& begun, const work& in);
  [[nodiscard]] result unmask(const work& in, std::span<const std::byte> masked, std::span<std::byte> out) const;
  [[nodiscard]] result remix(work& in, std::span<const std::span<const std::byte>> shares, next_files& files,
                             refresh_target where);
  [[nodiscard]] bool has_file() const;

  options options_;
  std::size_t size_;  // of the secret, bytes
  std::shared_ptr<share_directory> directory_;
  std::vector<std::unique_ptr<share>> shares_;  // empty: wiped
  unsigned rounds_ = 0;
  std::mutex mutex_;
};

}  // namespace lockfast::internal

#endif
