// windows_access_list_test.cc - which lists of access rights leave a directory to its user alone, read in memory.
#include "platform/windows/access_list.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>

using namespace lockfast::platform;

namespace {

// A security identifier that the system defines.
class well_known {
 public:
  explicit well_known(WELL_KNOWN_SID_TYPE which) {
    auto size = static_cast<DWORD>(bytes_.size());
    REQUIRE(CreateWellKnownSid(which, nullptr, bytes_.data(), &size) != 0);
  }
  PSID id() { return bytes_.data(); }

 private:
  alignas(SID) std::array<std::byte, SECURITY_MAX_SID_SIZE> bytes_ = {};
};

class list_of_rights {
 public:
  list_of_rights() { REQUIRE(InitializeAcl(acl(), static_cast<DWORD>(bytes_.size()), ACL_REVISION) != 0); }

  list_of_rights& allow(PSID who, DWORD rights = FILE_GENERIC_READ) {
    REQUIRE(AddAccessAllowedAce(acl(), ACL_REVISION, rights, who) != 0);
    return *this;
  }
  list_of_rights& deny(PSID who) {
    REQUIRE(AddAccessDeniedAce(acl(), ACL_REVISION, FILE_GENERIC_READ, who) != 0);
    return *this;
  }
  // The last entry, of another type: as far as they are read, entries of all types are alike.
  list_of_rights& of_type(int type) {
    void* last = nullptr;
    REQUIRE(GetAce(acl(), acl()->AceCount - 1U, &last) != 0);
    static_cast<ACE_HEADER*>(last)->AceType = static_cast<BYTE>(type);
    return *this;
  }
  ACL* acl() { return reinterpret_cast<ACL*>(bytes_.data()); }

 private:
  alignas(ACL) std::array<std::byte, 512> bytes_ = {};
};

}  // namespace

TEST_CASE("a list is for the user alone when its plain entries are the user's and the system's") {
  token_user user;
  REQUIRE(user.known());
  well_known everybody(WinWorldSid);
  well_known system(WinLocalSystemSid);
  well_known administrators(WinBuiltinAdministratorsSid);
  well_known owner(WinCreatorOwnerRightsSid);
  const auto alone = [&](list_of_rights& list) { return is_for_alone(user.id(), list.acl()); };

  list_of_rights nobody;
  CHECK(alone(nobody));
  list_of_rights usual;
  usual.allow(user.id(), FILE_ALL_ACCESS).allow(system.id()).allow(administrators.id()).allow(owner.id()).deny(everybody.id());
  CHECK(alone(usual));
  usual.allow(everybody.id(), 0);
  CHECK(alone(usual));
  usual.allow(everybody.id());
  CHECK_FALSE(alone(usual));
  CHECK_FALSE(is_for_alone(user.id(), nullptr));
}

TEST_CASE("an entry for an object or on a condition may give access to anybody, and one that denies gives none") {
  token_user user;
  REQUIRE(user.known());
  for (const int type : {ACCESS_ALLOWED_COMPOUND_ACE_TYPE, ACCESS_ALLOWED_OBJECT_ACE_TYPE, ACCESS_ALLOWED_CALLBACK_ACE_TYPE,
                         ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE}) {
    list_of_rights list;
    list.allow(user.id()).of_type(type).allow(user.id());
    CHECK_FALSE(is_for_alone(user.id(), list.acl()));
  }
  well_known everybody(WinWorldSid);
  for (const int type : {ACCESS_DENIED_ACE_TYPE, ACCESS_DENIED_OBJECT_ACE_TYPE, ACCESS_DENIED_CALLBACK_ACE_TYPE,
                         ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE}) {
    list_of_rights list;
    list.deny(everybody.id()).of_type(type).allow(user.id());
    CHECK(is_for_alone(user.id(), list.acl()));
  }
}
