// vault_operations_fuzzer.cc - runs decoded calls on a vault beside a map, and requires agreement after each.
//
// Each operation's kind, record, size and value come from bytes of their own. Views are kept open over later changes, and must
// stay what they were. The refresher is stopped, so that an input does the same each time.
#include <lockfast/lockfast.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/own_folder.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {
namespace {

constexpr std::size_t operation_limit = 200;
constexpr std::size_t record_limit = 64;
constexpr std::size_t view_limit = 6;
constexpr std::size_t save_limit = 2;  // each stretches a passphrase, twice
constexpr std::size_t largest = 9000;  // bytes

using value = std::vector<std::uint8_t>;

bool same(std::span<const std::byte> bytes, const value& wanted) {
  return std::ranges::equal(bytes, std::as_bytes(std::span(wanted)));
}

class session {
 public:
  explicit session(bytes input)
      : input_(input), options_{.hot_records = input_.below(2) * input_.below(6)}, records_(options_) {}
  void run();

  void insert();
  void insert_together();
  void insert_none();
  void replace();
  void erase();
  void clear();
  void open();
  void keep_view();
  void look_at_views();
  void use_together();
  void use_missing();
  void rekey();
  void query();
  void iterate();
  void save_and_load();
  void move_away();

 private:
  struct kept_view {
    vault::view view;
    value wanted;
  };

  // Random length, repeated bytes; never empty.
  value fresh() {
    value made(1 + input_.below(input_.below(6) == 0 ? largest : 80));
    const std::uint8_t first = input_.next();
    for (std::size_t at = 0; at < made.size(); ++at) made[at] = static_cast<std::uint8_t>(first + at * 7);
    return made;
  }
  static buffer<std::byte> held(const value& bytes) {
    auto made = buffer<std::byte>::filled(
        bytes.size(), [&](std::span<std::byte> out) { std::ranges::copy(std::as_bytes(std::span(bytes)), out.begin()); });
    if (!made) disagree("a buffer of %zu bytes is refused", bytes.size());
    return std::move(*made);
  }
  // A record that is there, or, now and then, one that was erased.
  vault::id subject() {
    if (!gone_.empty() && (model_.empty() || input_.below(8) == 0)) return gone_[input_.below(gone_.size())];
    if (model_.empty()) return {};
    return std::next(model_.begin(), static_cast<std::ptrdiff_t>(input_.below(model_.size())))->first;
  }
  void adopt(vault::id id, value wanted) {
    if (id == vault::id() || !ever_.insert(id).second) disagree("an id is given out twice");
    model_.emplace(id, std::move(wanted));
  }
  template <class Result>
  void expect(const Result& result, vault::id which, const char* deed) {
    if (model_.contains(which) ? !result : result || result.error() != memory_error::not_found) disagree("%s disagrees", deed);
  }
  void skip() { executed_ = false; }
  void compare();

  bytes input_;
  vault::options options_;
  vault records_;
  std::map<vault::id, value> model_;
  std::vector<vault::id> gone_;
  std::set<vault::id> ever_;
  std::vector<kept_view> views_;
  std::size_t saves_ = 0;
  bool executed_ = true;
};

void session::insert() {
  if (model_.size() >= record_limit) return skip();
  value wanted = fresh();
  auto secret = held(wanted);
  const bool lent = input_.below(2) == 0;
  const auto id = lent ? records_.insert(std::as_const(secret)) : records_.insert(std::move(secret));
  if (!id) disagree("an insert of %zu bytes is refused: %s", wanted.size(), message(id.error()).data());
  if (secret.empty() == lent) disagree("a buffer that is lent goes, or one that is given stays");
  adopt(*id, std::move(wanted));
}

void session::insert_together() {
  if (model_.size() >= record_limit) return skip();
  std::vector<value> wanted(1 + input_.below(5));
  std::vector<vault::spans::value_type> secrets;
  for (value& each : wanted) secrets.emplace_back(std::as_bytes(std::span(each = fresh())));
  std::vector<vault::id> ids(wanted.size());
  if (!records_.insert(secrets, ids)) disagree("an insert of several is refused");
  for (std::size_t at = 0; at < ids.size(); ++at) adopt(ids[at], std::move(wanted[at]));
}

void session::insert_none() {
  const value wanted = fresh();
  const std::array<std::span<const std::byte>, 2> secrets = {std::as_bytes(std::span(wanted)), {}};
  std::array<vault::id, 2> ids;
  const auto done = records_.insert(secrets, ids);
  if (done || done.error() != memory_error::zero_size) disagree("an empty secret is inserted");
}

void session::replace() {
  const vault::id which = subject();
  value wanted = fresh();
  const auto secret = held(wanted);
  expect(records_.replace(which, secret), which, "replace");
  if (const auto found = model_.find(which); found != model_.end()) found->second = std::move(wanted);
}

void session::erase() {
  const vault::id which = subject();
  expect(records_.erase(which), which, "erase");
  if (model_.erase(which) != 0) gone_.push_back(which);
}

void session::clear() {
  if (input_.below(8) != 0) return skip();
  if (!records_.clear()) disagree("a clear is refused");
  for (const auto& [id, wanted] : model_) gone_.push_back(id);
  model_.clear();
}

void session::open() {
  const vault::id which = subject();
  const auto view = records_.open(which);
  expect(view, which, "open");
  if (view && !same(view->span(), model_.at(which))) disagree("a record opens to another value");
}

void session::keep_view() {
  const vault::id which = subject();
  auto view = records_.open(which);
  expect(view, which, "open");
  if (!view) return;
  if (views_.size() == view_limit) views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(input_.below(view_limit)));
  views_.push_back({std::move(*view), model_.at(which)});
}

void session::look_at_views() {
  for (const kept_view& each : views_) {
    if (!same(each.view.span(), each.wanted)) disagree("a view has changed");
  }
  if (input_.below(3) == 0) views_.clear();
}

void session::use_together() {
  if (model_.empty()) return skip();
  std::vector<vault::id> ids(1 + input_.below(9));
  for (vault::id& each : ids) {
    each = std::next(model_.begin(), static_cast<std::ptrdiff_t>(input_.below(model_.size())))->first;
  }
  const auto used = records_.use(ids, [&](vault::spans secrets) {
    for (std::size_t at = 0; at < ids.size(); ++at) {
      if (!same(secrets[at], model_.at(ids[at]))) disagree("a record is used with another value");
    }
    return secrets.size();
  });
  if (!used || *used != ids.size()) disagree("a use of several disagrees");
}

void session::use_missing() {
  std::vector<vault::id> ids = {subject(), vault::id()};
  bool called = false;
  const auto used = records_.use(ids, [&](vault::spans) { called = true; });
  if (used || used.error() != memory_error::not_found || called) disagree("a record that is not there is used");
}

void session::rekey() {
  if (!records_.rekey()) disagree("a re-key is refused");
}

void session::query() {
  const vault::id which = subject();
  const auto size = records_.size_of(which);
  expect(size, which, "size_of");
  if (size && *size != model_.at(which).size()) disagree("a record has another size");
  if (records_.contains(which) != model_.contains(which)) disagree("contains disagrees");
}

void session::iterate() {
  std::set<vault::id> met;
  for (const vault::id each : records_.ids()) {
    if (!model_.contains(each) || !met.insert(each).second) disagree("an id is met that is not there, or twice");
  }
  if (met.size() != model_.size()) disagree("%zu ids are met, not %zu", met.size(), model_.size());
}

void session::save_and_load() {
  if (saves_ == save_limit) return skip();
  static const own_folder own("vault");
  static const std::string file = own.path() / "records";
  static const passphrase phrase = [] {
    std::string typed = "four words of mine";
    auto made = passphrase::take(std::span<char>(typed));
    if (!made) disagree("a passphrase is refused");
    return std::move(*made);
  }();
  ++saves_;
  // The first takes the place of what another session has left.
  const auto over = saves_ == 1 ? vault::replaces::any_file : vault::replaces::own_file;
  if (!records_.save(file, phrase, {.cost = 10, .over = over})) disagree("a save is refused");
  auto loaded = vault::load(file, phrase, {.vault = options_, .min_saves = saves_});
  if (!loaded) disagree("a load is refused: %s", message(loaded.error()).data());
  if (loaded->saves() != saves_ || loaded->identity() != records_.identity()) disagree("another vault is loaded");
  const auto newer = vault::load(file, phrase, {.min_saves = saves_ + 1});
  if (newer || newer.error() != memory_error::outdated) disagree("an outdated file is loaded");
  if (input_.below(2) == 0) records_ = std::move(*loaded);
}

void session::move_away() {
  vault other = std::move(records_);
  const auto opened = records_.open(subject());
  if (opened || opened.error() != memory_error::wiped || !records_.empty()) disagree("a vault that moved away has something");
  records_ = std::move(other);
}

struct operation {
  void (session::*run)();
  kind counted;
};

constinit std::array<operation, 16> operations = {{{&session::insert, {"insert", 0}},
                                                   {&session::insert_together, {"insert several", 0}},
                                                   {&session::insert_none, {"insert nothing", 0}},
                                                   {&session::replace, {"replace", 0}},
                                                   {&session::erase, {"erase", 0}},
                                                   {&session::clear, {"clear", 0}},
                                                   {&session::open, {"open", 0}},
                                                   {&session::keep_view, {"keep a view", 0}},
                                                   {&session::look_at_views, {"look at views", 0}},
                                                   {&session::use_together, {"use several", 0}},
                                                   {&session::use_missing, {"use what is not there", 0}},
                                                   {&session::rekey, {"re-key", 0}},
                                                   {&session::query, {"query", 0}},
                                                   {&session::iterate, {"iterate", 0}},
                                                   {&session::save_and_load, {"save and load", 0}},
                                                   {&session::move_away, {"move", 0}}}};

void session::compare() {
  if (records_.size() != model_.size()) disagree("%zu records, not %zu", records_.size(), model_.size());
}

void session::run() {
  for (std::size_t count = 0; count < operation_limit && !input_.empty(); ++count) {
    operation& chosen = operations[input_.below(operations.size())];
    executed_ = true;
    (this->*chosen.run)();
    if (executed_) ++chosen.counted.count;
    compare();
  }
  for (const auto& [id, wanted] : model_) {
    const auto view = records_.open(id);
    if (!view || !same(view->span(), wanted)) disagree("a record has another value at the end");
  }
  look_at_views();
}

std::array<kind, operations.size()> counts;

}  // namespace

std::span<const kind> kinds() {
  std::ranges::transform(operations, counts.begin(), &operation::counted);
  return counts;
}

}  // namespace lockfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  lockfast::refresher::stop();
  lockfast::fuzz::session(lockfast::fuzz::bytes({bytes, size})).run();
  return 0;
}
