// windows_files_test.cc - what only a host of Windows can be asked: who a directory is open to, names while a file is open.
#include <windows.h>

#include <aclapi.h>
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "boojum/files_contract.h"
#include "boojum/places.h"
#include "platform/files.h"
#include "support/child.h"

using namespace lockfast;
using platform::directory;
using platform::file;

place_for_files::place_for_files() {
  std::uint64_t number = 0;
  lockfast_random(&number, sizeof number);
  path_ = (std::filesystem::temp_directory_path() / ("lockfast-test-" + std::to_string(number))).string();
}
place_for_files::~place_for_files() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

struct opened_directory {
  explicit opened_directory(const std::string& path) {
    REQUIRE(platform::open_ours(path.c_str(), platform::missing::create, opened) == 0);
  }
  ~opened_directory() { platform::close(opened); }
  opened_directory(const opened_directory&) = delete;
  opened_directory& operator=(const opened_directory&) = delete;

  directory opened = directory::none;
};

// Lets everybody read a directory.
void open_to_everybody(std::string path) {
  ACL* before = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  REQUIRE(GetNamedSecurityInfoA(path.data(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr, &before, nullptr,
                                &descriptor) == ERROR_SUCCESS);
  std::array<std::byte, SECURITY_MAX_SID_SIZE> everybody = {};
  DWORD size = everybody.size();
  REQUIRE(CreateWellKnownSid(WinWorldSid, nullptr, everybody.data(), &size) != 0);
  EXPLICIT_ACCESSA more = {};
  more.grfAccessPermissions = FILE_GENERIC_READ;
  more.grfAccessMode = GRANT_ACCESS;
  more.grfInheritance = NO_INHERITANCE;
  more.Trustee.TrusteeForm = TRUSTEE_IS_SID;
  more.Trustee.ptstrName = reinterpret_cast<char*>(everybody.data());
  ACL* after = nullptr;
  REQUIRE(SetEntriesInAclA(1, &more, before, &after) == ERROR_SUCCESS);
  REQUIRE(SetNamedSecurityInfoA(path.data(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr, after, nullptr) ==
          ERROR_SUCCESS);
  LocalFree(after);
  LocalFree(descriptor);
}

}  // namespace

TEST_CASE("a directory that everybody may read is refused, and so is what is none") {
  const own_directory place;
  directory opened = directory::none;
  REQUIRE(platform::open_ours(place.path().c_str(), platform::missing::refuse, opened) == 0);
  platform::close(opened);
  open_to_everybody(place.path());
  opened = directory::none;
  CHECK(platform::open_ours(place.path().c_str(), platform::missing::refuse, opened) == EPERM);
  CHECK(opened == directory::none);
  CHECK(file_memory::create(*buffer<std::byte>::random(8), {.directory = place.path()}).error() == memory_error::file_system);

  const own_directory other;
  const std::string plain = other.path() + "\\plain";
  std::ofstream(plain) << "a file";
  CHECK(platform::open_ours(plain.c_str(), platform::missing::refuse, opened) == ENOTDIR);
  CHECK(platform::open_ours((other.path() + "\\missing\\deeper").c_str(), platform::missing::create, opened) == ENOENT);
}

TEST_CASE("a name is a name and no path, and nothing is named in another directory") {
  const own_directory place;
  const opened_directory in(place.path());
  file made = file::none;
  for (const char* const name : {"..\\up", "../up", "c:name", "name:stream"}) {
    CHECK(platform::create_named(in.opened, name, made) == EINVAL);
    CHECK(platform::open_named(in.opened, name, platform::opening::read, made) == EINVAL);
  }
  CHECK(std::filesystem::is_empty(place.path()));
}

TEST_CASE("a directory below is no file, and there are no nameless files") {
  const own_directory place;
  const opened_directory in(place.path());
  std::filesystem::create_directory(place.path() + "\\below");
  file opened = file::none;
  CHECK(platform::open_named(in.opened, "below", platform::opening::read, opened) == EINVAL);
  CHECK(platform::create_nameless(in.opened, opened) == EOPNOTSUPP);
}

TEST_CASE("what another process holds is held, until that process ends, however it does") {
  const own_directory place;
  const std::string held = place.path() + "\\held";
  const std::string done = place.path() + "\\done";
  const ending end = in_child([&] {
    const opened_directory in(place.path());
    file mine = file::none;
    prove(platform::create_named(in.opened, "mine", mine) == 0, "a file");
    file again = file::none;
    prove(platform::open_named(in.opened, "mine", platform::opening::read_write, again) == 0, "the same file");
    promised(platform::take_hold(again) == EWOULDBLOCK, "held by the other handle");
    cause(11);
  });
  CHECK(end.trapped());
}

TEST_CASE("a path in UTF-8 names the folder that it says") {
  const own_directory place;
  directory opened = directory::none;
  const std::string path = place.path() + "\\\xc3\xa4\xe2\x82\xac";
  REQUIRE(platform::open_ours(path.c_str(), platform::missing::create, opened) == 0);
  platform::close(opened);
  CHECK(std::filesystem::exists(std::filesystem::path(place.path()) / L"\u00e4\u20ac"));
  CHECK(platform::open_ours("\xff", platform::missing::refuse, opened) == EINVAL);
}
