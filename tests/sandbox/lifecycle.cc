// lifecycle.cc - what a program does with its secrets, type by type.
#include "lifecycle.h"

#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <lockfast/lockfast.hpp>

#include "support/child.h"

namespace {

void use(void* secret, std::size_t size) {
  promised(secret != nullptr, "a secret");
  std::memset(secret, 'x', size);
  promised(lockfast_check(secret) == 0, "whole");
  lockfast_receipt receipt;
  promised(lockfast_describe(secret, &receipt) == 0 && receipt.size == size, "a receipt");
}

}  // namespace

void live_without_drawing() {
  for (const std::size_t size : {std::size_t{32}, std::size_t{5000}, std::size_t{200000}}) {
    void* secret = lockfast_malloc_isolated(size);
    use(secret, size);
    for (const auto access : {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
      promised(lockfast_protect(secret, access) == 0, "its access");
    }
    secret = lockfast_realloc(secret, 2 * size);
    use(secret, 2 * size);
    lockfast_free(secret);
  }
  std::array<void*, 300> many = {};
  for (std::size_t index = 0; index < many.size(); ++index) {
    many[index] = lockfast_calloc(1 + index, 1);
    use(many[index], 1 + index);
  }
  for (void*& one : many) one = lockfast_realloc(one, 700);
  for (void* const one : many) lockfast_free(one);
  void* const aligned = lockfast_aligned_alloc(16384, 100);
  use(aligned, 100);
  lockfast_free(aligned);

  // As many closed secrets as are sealed, moved to other pages, and opened again in those.
  std::array<void*, 100> closed = {};
  for (void*& each : closed) {
    each = lockfast_malloc_isolated(64);
    use(each, 64);
    promised(lockfast_protect(each, LOCKFAST_NOACCESS) == 0, "closed");
  }
  (void)lockfast_trim();
  for (void* const each : closed) {
    promised(lockfast_protect(each, LOCKFAST_READONLY) == 0, "opened");
    promised(static_cast<char*>(each)[63] == 'x', "whole");
    promised(lockfast_protect(each, LOCKFAST_NOACCESS) == 0, "closed again");
  }
  for (void* const each : closed) lockfast_free(each);

  lockfast_compartment* const within = lockfast_compartment_create();
  promised(within != nullptr, "a compartment");
  for (const std::size_t size : {std::size_t{32}, std::size_t{40000}}) {
    void* const secret = lockfast_compartment_malloc(within, size);
    use(secret, size);
    promised(lockfast_compartment_protect(within, LOCKFAST_NOACCESS) == 0, "closed");
    promised(lockfast_compartment_protect(within, LOCKFAST_READWRITE) == 0, "opened");
    lockfast_free(secret);
  }
  lockfast_compartment_destroy(within);

  std::array<char, 10000> own = {};
  promised(lockfast_mlock(own.data(), own.size()) == 0, "a claim");
  promised(lockfast_munlock(own.data(), own.size()) == 0, "given up");
  promised(lockfast_audit() == 0, "nothing damaged");
  (void)lockfast_trim();
  struct lockfast_statistics counts;
  lockfast_get_statistics(&counts);
  promised(counts.live == 0, "nothing left");
}

void live_in_c() {
  live_without_drawing();
  std::array<char, 32> bytes = {};
  lockfast_random(bytes.data(), bytes.size());
  promised(std::ranges::count(bytes, 0) < 8, "random bytes");
}

void live_over_a_fork() {
  void* const alone = lockfast_malloc_isolated(100);
  void* const beside = lockfast_malloc(100);
  use(alone, 100);
  use(beside, 100);
  const pid_t child = fork();
  prove(child >= 0, "a fork");
  if (child == 0) {
    lockfast_free(alone);
    lockfast_free(beside);
    live_without_drawing();
    _exit(0);
  }
  int status = -1;
  prove(waitpid(child, &status, 0) == child, "its end");
  promised(status == 0, "the child lives");
  lockfast_free(alone);
  lockfast_free(beside);
}

void live_in_cxx(const std::filesystem::path& directory) {
  using namespace lockfast;
  const auto fresh = [] { return std::move(*buffer<std::byte>::random(64)); };
  const auto holds = [](const auto& held) { return held.unlock().has_value(); };
  {
    auto box = boxed<std::array<std::uint8_t, 32>>::zeroed();
    promised(box.has_value(), "a box");
    (*box->write())[0] = 1;
  }
  auto in_ram = ram_memory::create(fresh());
  promised(in_ram.has_value() && holds(*in_ram), "in RAM");
  auto next = std::move(*in_ram).update(fresh());
  promised(next.has_value() && holds(*next), "updated");
  auto in_file = file_memory::create(fresh(), {.directory = directory});
  promised(in_file.has_value() && holds(*in_file), "in a file");
  auto split = non_contiguous_memory::create(fresh(), {.shares = {share_place::ram, share_place::file}, .directory = directory});
  promised(split.has_value() && holds(*split), "split");
  promised(split->refresh().has_value(), "refreshed");
  char typed[] = "open sesame";
  auto phrase = passphrase::take(std::span<char>(typed));
  promised(phrase.has_value(), "a passphrase");
  vault records;
  const auto id = records.insert(fresh());
  promised(id.has_value() && records.open(*id).has_value(), "a record");
  const auto path = (directory / "records").string();
  promised(records.save(path, *phrase, {.cost = 10}).has_value(), "saved");
  promised(vault::load(path, *phrase).has_value(), "loaded");
  records.erase(*id);
  phrase->clear();
}
