// boojum.cc - a C++ program on the installed lockfast.hpp: every line of the design's sample, and that it does what it says.
#include <lockfast/lockfast.hpp>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
using namespace lockfast;

namespace {

std::size_t used = 0;
void use(const std::byte* bytes, std::size_t size) {
  if (bytes != nullptr) used += size;
}

[[noreturn]] void fail(int line) { std::_Exit(line); }
#define REQUIRE(holds) \
  if (!(holds)) fail(__LINE__ % 200 + 1)

}  // namespace

static_assert(locked_memory<ram_memory> && locked_memory<file_memory> && locked_memory<non_contiguous_memory>);

int main() {
  std::array<std::byte, 32> raw{std::byte{7}};
  auto key = buffer<std::byte>::random(32);
  auto copy = buffer<std::byte>::take(std::span<std::byte>(raw));
  REQUIRE(key && copy && raw[0] == std::byte{0} && buffer<std::byte>::zeroed(5));
  auto held = non_contiguous_memory::create(std::move(*key), {.shares = {share_place::ram, share_place::file}});
  REQUIRE(held);
  REQUIRE(held->refresh());
  auto back = held->unlock();
  REQUIRE(back);
  {
    auto view = back->read();
    use(view.data(), view.size());
  }
  REQUIRE(used == 32);
  auto next = std::move(*held).update(std::move(*copy));
  REQUIRE(next && next->unlock()->read()[0] == std::byte{7});

  auto in_ram = ram_memory::create(*buffer<std::byte>::random(64));
  auto in_file = file_memory::create(*buffer<std::byte>::random(64));
  REQUIRE(in_ram && in_file && in_ram->unlock()->size() == 64 && in_file->unlock()->size() == 64);
  std::string pattern = (std::filesystem::temp_directory_path() / "lockfast-consumer-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  const std::string path = pattern;
  REQUIRE(file_memory::create(*buffer<std::byte>::random(64), {.directory = path}));

  std::string typed = "correct horse";
  auto phrase = passphrase::take(std::span<char>(typed), {.idle_expiry = std::chrono::minutes(5)});
  REQUIRE(phrase && typed[0] == '\0');
  std::string seen;
  phrase->use([&](std::span<const std::byte> bytes) { seen.resize(bytes.size(), 'x'); });
  const std::string again = "correct horse";
  REQUIRE(seen.size() == 13 && phrase->equals(std::span<const char>(again)).value() && phrase->available());

  vault records;
  auto id = records.insert(*buffer<std::byte>::random(32));
  REQUIRE(id);
  {
    auto view = records.open(*id);
    use(view->data(), view->size());
  }
  REQUIRE(used == 64);
  auto ok = records.replace(*id, *buffer<std::byte>::zeroed(32));
  const std::string file = path + "/records";
  auto saved = records.save(file, *phrase);
  auto loaded = vault::load(file, *phrase);
  REQUIRE(ok && saved && loaded && loaded->size() == 1);
  records.erase(*id);
  REQUIRE(records.size() == 0);
  phrase->clear();
  REQUIRE(!phrase->available());

  auto box = boxed<std::array<std::uint8_t, 32>>::zeroed();
  REQUIRE(box);
  {
    auto w = box->write();
    (*w)[0] = 1;
  }
  REQUIRE((*box->read())[0] == 1 && boxed<std::uint64_t>::random());

  std::vector<char, allocator<char>> v;
  v.assign(100, 'v');
  lockfast::string s = "a string that is longer than the object";
  memory_resource pool;
  std::pmr::string p("another string that is longer than the object", &pool);
  REQUIRE(lockfast_size(v.data()) >= 100 && lockfast_size(s.data()) > s.size() && lockfast_size(p.data()) > p.size());
  std::filesystem::remove_all(path);
}
