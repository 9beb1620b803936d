// access_list.cc - lists made and read by the calls of advapi32.
#include "platform/windows/access_list.h"

#include <aclapi.h>

namespace lockfast::platform {
namespace {

// The system's own accounts, which no list keeps out.
bool is_of_the_system(PSID who) {
  return IsWellKnownSid(who, WinLocalSystemSid) != 0 || IsWellKnownSid(who, WinBuiltinAdministratorsSid) != 0;
}

// Whether an entry of a list gives nobody anything, whatever else it says.
bool only_denies(const ACE_HEADER& entry) {
  return entry.AceType == ACCESS_DENIED_ACE_TYPE || entry.AceType == ACCESS_DENIED_OBJECT_ACE_TYPE ||
         entry.AceType == ACCESS_DENIED_CALLBACK_ACE_TYPE || entry.AceType == ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE;
}

}  // namespace

token_user::token_user() {
  HANDLE token = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) == 0) return;
  DWORD length = 0;
  known_ = GetTokenInformation(token, TokenUser, bytes_.data(), static_cast<DWORD>(bytes_.size()), &length) != 0;
  (void)CloseHandle(token);
}

ours_only::ours_only(token_user& user) {
  if (!user.known()) return;
  const DWORD size = sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + GetLengthSid(user.id());
  constexpr DWORD inherited = OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE;
  auto* const list = reinterpret_cast<ACL*>(bytes_.data());
  made_ = size <= bytes_.size() && InitializeAcl(list, size, ACL_REVISION) != 0 &&
          AddAccessAllowedAceEx(list, ACL_REVISION, inherited, FILE_ALL_ACCESS, user.id()) != 0 &&
          InitializeSecurityDescriptor(&descriptor_, SECURITY_DESCRIPTOR_REVISION) != 0 &&
          SetSecurityDescriptorDacl(&descriptor_, TRUE, list, FALSE) != 0 &&
          SetSecurityDescriptorControl(&descriptor_, SE_DACL_PROTECTED, SE_DACL_PROTECTED) != 0;
}

bool is_for_alone(PSID user, ACL* list) {
  if (list == nullptr) return false;
  for (DWORD index = 0; index < list->AceCount; ++index) {
    void* entry = nullptr;
    if (GetAce(list, index, &entry) == 0) return false;
    const auto& header = *static_cast<ACE_HEADER*>(entry);
    if (only_denies(header)) continue;
    if (header.AceType != ACCESS_ALLOWED_ACE_TYPE) return false;
    auto* const allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    PSID const who = &allowed->SidStart;
    const bool harmless = allowed->Mask == 0 || EqualSid(who, user) != 0 || is_of_the_system(who) ||
                          IsWellKnownSid(who, WinCreatorOwnerRightsSid) != 0;
    if (!harmless) return false;
  }
  return true;
}

bool is_ours(HANDLE opened) {
  token_user user;
  PSID owner = nullptr;
  ACL* list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  constexpr SECURITY_INFORMATION wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  if (!user.known() ||
      GetSecurityInfo(opened, SE_FILE_OBJECT, wanted, &owner, nullptr, &list, nullptr, &descriptor) != ERROR_SUCCESS) {
    return false;
  }
  const bool owned = EqualSid(owner, user.id()) != 0 || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) != 0;
  const bool ours = owned && is_for_alone(user.id(), list);
  (void)LocalFree(descriptor);
  return ours;
}

}  // namespace lockfast::platform
