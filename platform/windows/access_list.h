// access_list.h - who may open a file of Windows: one user alone, by a list of access rights.
//
// Threads: no state.
#ifndef LOCKFAST_PLATFORM_WINDOWS_ACCESS_LIST_H
#define LOCKFAST_PLATFORM_WINDOWS_ACCESS_LIST_H

#include <windows.h>

#include <array>
#include <cstddef>

namespace lockfast::platform {

// The user that this process runs as.
class token_user {
 public:
  token_user();

  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] PSID id() { return reinterpret_cast<TOKEN_USER*>(bytes_.data())->User.Sid; }

 private:
  alignas(TOKEN_USER) std::array<std::byte, sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE> bytes_ = {};
  bool known_ = false;
};

// All rights for this user, here and on what is created below, and none for anybody else; nothing of the folder above.
class ours_only {
 public:
  explicit ours_only(token_user& user);

  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] SECURITY_DESCRIPTOR* descriptor() { return &descriptor_; }

 private:
  alignas(ACL) std::array<std::byte, sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE> bytes_ = {};
  SECURITY_DESCRIPTOR descriptor_ = {};
  bool made_ = false;
};

// Whether a list gives nothing to anybody but the user, the system and its administrators. What gives access in another way than
// by a plain entry (for an object, on a condition) may give it to anybody; without a list everybody has all.
[[nodiscard]] bool is_for_alone(PSID user, ACL* list);

// Whether a file or directory is owned by this user, or by the administrators that it is one of, and is_for_alone() the user.
[[nodiscard]] bool is_ours(HANDLE opened);

}  // namespace lockfast::platform

#endif
