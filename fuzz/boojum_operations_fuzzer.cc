// boojum_operations_fuzzer.cc - holds decoded secrets in every way there is, beside a plain model, and requires agreement.
//
// Each operation's kind, subject, sizes and places come from bytes of their own. An input starts with nothing held, and ends by
// dropping all: then nothing is live. The refresher is stopped, so that an input does the same each time.
#include <lockfast/lockfast.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/own_folder.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {
namespace {

constexpr std::size_t held_limit = 8;
constexpr std::size_t operation_limit = 200;
constexpr std::size_t largest = 9000;  // bytes

using memory = std::variant<ram_memory, file_memory, non_contiguous_memory>;

struct held {
  memory in;
  std::vector<std::uint8_t> value;
  bool wiped = false;
};

const std::string& directory() {
  static const own_folder own("boojum");
  static const std::string path = own.path().string();
  return path;
}

bool same(std::span<const std::byte> bytes, const std::vector<std::uint8_t>& value) {
  return std::ranges::equal(bytes, value, [](std::byte a, std::uint8_t b) { return std::to_integer<std::uint8_t>(a) == b; });
}

class session {
 public:
  explicit session(bytes input) : input_(input) {}
  void run();

  void create_ram() { take_in(ram_memory::create(fresh())); }
  void create_file() { take_in(file_memory::create(fresh(), {.directory = directory(), .prekey = 32 + input_.below(300)})); }
  void create_split();
  void refuse_split();
  void unlock();
  void refresh() { refresh(refresh_target::keep); }
  void move_shares() { refresh(refresh_target::change); }
  void copy();
  void update();
  void assign();
  void wipe();
  void drop();
  void views();
  void phrase();

 private:
  // A buffer of random length and repeated bytes; value_ has the same.
  buffer<std::byte> fresh() {
    value_.resize(1 + input_.below(input_.below(4) == 0 ? largest : 80));
    const std::uint8_t first = input_.next();
    for (std::size_t at = 0; at < value_.size(); ++at) value_[at] = static_cast<std::uint8_t>(first + at * 7);
    auto made = buffer<std::byte>::filled(value_.size(), [&](std::span<std::byte> out) {
      std::ranges::transform(value_, out.begin(), [](std::uint8_t byte) { return static_cast<std::byte>(byte); });
    });
    if (!made) disagree("a buffer of %zu bytes is refused", value_.size());
    return std::move(*made);
  }

  template <class Memory>
  void take_in(std::expected<Memory, memory_error> made) {
    if (!made) disagree("a secret of %zu bytes is refused: %s", value_.size(), message(made.error()).data());
    all_.push_back({memory(std::move(*made)), value_});
  }

  held& subject() { return all_[input_.below(all_.size())]; }
  void refresh(refresh_target where);
  void skip() { executed_ = false; }

  bytes input_;
  std::vector<held> all_;
  std::vector<std::uint8_t> value_;
  bool executed_ = true;
};

void session::create_split() {
  non_contiguous_memory::options chosen = {.shares = std::vector<share_place>(2 + input_.below(input_.below(4) == 0 ? 15 : 2)),
                                           .prekey = 32 + input_.below(input_.below(4) == 0 ? 65505 : 100),
                                           .directory = directory()};
  for (share_place& each : chosen.shares) each = input_.below(2) == 0 ? share_place::ram : share_place::file;
  if (input_.below(2) == 0) chosen.remix = remix_policy::on_demand;
  take_in(non_contiguous_memory::create(fresh(), chosen));
}

void session::refuse_split() {
  non_contiguous_memory::options chosen;
  if (input_.below(2) == 0) {
    chosen.shares.resize(input_.below(2) == 0 ? input_.below(2) : 17 + input_.below(20));
  } else {
    chosen.prekey = input_.below(2) == 0 ? 1 + input_.below(31) : 65537 + input_.below(100000);
  }
  const auto made = non_contiguous_memory::create(fresh(), chosen);
  if (made || made.error() != memory_error::limit_exceeded) disagree("counts out of range are not refused as limit");
}

void session::unlock() {
  const held& one = subject();
  const auto whole = std::visit([](const auto& in) { return in.unlock(); }, one.in);
  if (one.wiped) {
    if (whole || whole.error() != memory_error::wiped) disagree("a wiped secret is unlocked");
    return;
  }
  if (!whole) disagree("unlock: %s", message(whole.error()).data());
  const auto view = whole->read();
  if (!same(view.span(), one.value)) disagree("unlock gives another value");
}

void session::refresh(refresh_target where) {
  const held& one = subject();
  const auto* const split = std::get_if<non_contiguous_memory>(&one.in);
  if (split == nullptr) return skip();
  const auto done = split->refresh(where);
  if (one.wiped ? done || done.error() != memory_error::wiped : !done) disagree("refresh disagrees");
}

void session::copy() {
  const held& one = subject();
  if (all_.size() >= held_limit) return skip();
  auto value = one.value;
  const bool wiped = one.wiped;
  std::visit(
      [&](const auto& in) {
        auto made = in.copy();
        if (wiped) {
          if (made || made.error() != memory_error::wiped) disagree("a wiped secret is copied");
          return;
        }
        if (!made) disagree("copy: %s", message(made.error()).data());
        all_.push_back({memory(std::move(*made)), std::move(value)});
      },
      one.in);
}

void session::update() {
  held& one = subject();
  auto next = fresh();
  std::visit(
      [&](auto& in) {
        auto made = std::move(in).update(std::move(next));
        if (one.wiped) {
          if (made || made.error() != memory_error::wiped) disagree("a wiped secret is updated");
          return;
        }
        if (!made) disagree("update: %s", message(made.error()).data());
        if (in.unlock()) disagree("what was updated still has its value");
        in = std::move(*made);
        one.value = value_;
      },
      one.in);
}

void session::assign() {
  const std::size_t from = input_.below(all_.size());
  const std::size_t to = input_.below(all_.size());
  if (from == to) return skip();
  all_[to] = std::move(all_[from]);
  all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(from));
}

void session::wipe() {
  held& one = subject();
  if (const auto done = std::visit([](auto& in) { return in.wipe(); }, one.in); !done) disagree("wipe is refused");
  one.wiped = true;
}

void session::drop() { all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(input_.below(all_.size()))); }

// Views of one buffer: counted, and busy where they must not be together.
void session::views() {
  auto one = fresh();
  std::vector<buffer<std::byte>::read_view> readers;
  std::vector<buffer<std::byte>::write_view> writers;
  for (std::size_t step = 0; step < 16; ++step) {
    switch (input_.below(4)) {
      case 0: {
        auto view = one.try_read();
        if (view.has_value() != writers.empty()) disagree("a reader beside a writer");
        if (view) readers.push_back(std::move(*view));
        break;
      }
      case 1: {
        auto view = one.try_write();
        if (view.has_value() != (writers.empty() && readers.empty())) disagree("a writer beside others");
        if (view) writers.push_back(std::move(*view));
        break;
      }
      case 2:
        if (!readers.empty()) readers.erase(readers.begin() + static_cast<std::ptrdiff_t>(input_.below(readers.size())));
        break;
      default: writers.clear();
    }
  }
  for (const auto& view : readers) {
    if (!same(view.span(), value_)) disagree("a view shows other bytes");
  }
}

void session::phrase() {
  auto phrase = passphrase::take(fresh(), {.prekey = 32 + input_.below(100)});
  if (!phrase) disagree("a passphrase is refused");
  const auto value = value_;
  const auto is = [&](const std::vector<std::uint8_t>& other) {
    return *phrase->equals({reinterpret_cast<const char*>(other.data()), other.size()});
  };
  if (!is(value)) disagree("a passphrase is not itself");
  (void)fresh();
  if (is(value_) != (value_ == value)) disagree("a passphrase compares wrongly");
  std::string typed(value_.begin(), value_.end());
  const bool commits = input_.below(2) == 0;
  const auto done =
      phrase->replace(std::span<char>(typed), [&](std::span<const std::byte>) -> std::expected<void, memory_error> {
        if (!commits) return std::unexpected(memory_error::file_system);
        return {};
      });
  if (done.has_value() != commits || !is(commits ? value_ : value)) disagree("a replaced passphrase is the wrong one");
  phrase->clear();
  if (phrase->available()) disagree("a cleared passphrase is available");
}

struct operation {
  const char* name;
  unsigned weight;  // of the sum of all weights
  enum class needs { nothing, room, subject } need;
  void (session::*run)();
};

using enum operation::needs;
constexpr operation operations[] = {
    {"create ram_memory", 6, room, &session::create_ram},
    {"create file_memory", 6, room, &session::create_file},
    {"create non_contiguous_memory", 24, room, &session::create_split},
    {"refused counts", 2, nothing, &session::refuse_split},
    {"unlock", 30, subject, &session::unlock},
    {"refresh", 20, subject, &session::refresh},
    {"refresh elsewhere", 12, subject, &session::move_shares},
    {"copy", 12, subject, &session::copy},
    {"update", 16, subject, &session::update},
    {"assign", 6, subject, &session::assign},
    {"wipe", 6, subject, &session::wipe},
    {"drop", 16, subject, &session::drop},
    {"views", 6, nothing, &session::views},
    {"passphrase", 4, nothing, &session::phrase},
};

consteval unsigned sum_of_weights() {
  unsigned sum = 0;
  for (const operation& each : operations) sum += each.weight;
  return sum;
}

constinit std::array<kind, std::size(operations)> counts = [] {
  std::array<kind, std::size(operations)> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].name = operations[i].name;
  return all;
}();

void session::run() {
  all_.reserve(held_limit);
  for (std::size_t done = 0; done < operation_limit && !input_.empty(); ++done) {
    std::size_t chosen = input_.below(sum_of_weights());
    std::size_t at = 0;
    while (chosen >= operations[at].weight) chosen -= operations[at++].weight;
    const operation& now = operations[at];
    if (now.need == operation::needs::subject && all_.empty()) continue;
    while (now.need == operation::needs::room && all_.size() >= held_limit) drop();
    executed_ = true;
    (this->*now.run)();
    if (executed_) ++counts[at].count;
  }
  all_.clear();
  struct lockfast_statistics left = {};
  lockfast_get_statistics(&left);
  if (left.live != 0) disagree("%zu secrets are left", left.live);
  if (lockfast_audit() != 0) disagree("canaries are broken");
}

}  // namespace

std::span<const kind> kinds() { return counts; }

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lockfast::fuzz;
  lockfast::refresher::stop();
  session(lockfast::fuzz::bytes({bytes, size})).run();
  return 0;
}
