// unsupported.cc - the answers of a host that has neither hidden memory nor pages that move, guard markers, protection keys or permanent pages, and
// that does not tell which pages are locked.
//
// What asks is answered; nobody calls the rest after such an answer, and it refuses.
#include <cerrno>

#include "platform/one_look.h"
#include "platform/platform.h"

namespace lockfast::platform {

error hiding_error() { return ENOTSUP; }
bool may_hibernate() { return false; }
error hide(std::byte*, std::size_t, fork_policy, reservation&) { return ENOTSUP; }
error unhide(std::byte*, std::size_t, fork_policy, reservation&) { return ENOTSUP; }
std::byte* map_shared_hidden(std::size_t) { return nullptr; }
error move_hidden(std::byte*, std::byte*, std::size_t) { return ENOTSUP; }

error move(std::byte*, std::byte*, std::size_t) { return ENOTSUP; }
error map_hidden_twice(std::byte*, std::byte*, std::size_t) { return ENOTSUP; }
error vacate(std::byte*, std::size_t, std::byte*, fork_policy, reservation&) { return ENOTSUP; }

bool has_guard_markers() { return false; }
error mark(std::byte*, std::size_t) { return ENOTSUP; }
error unmark(std::byte*, std::size_t) { return ENOTSUP; }
error mark_again(std::byte*, std::size_t) { return ENOTSUP; }
error set_apart(std::byte*, std::size_t) { return ENOTSUP; }
void join_again(std::byte*, std::size_t) {}
error lock_marked_again(std::byte*, std::size_t) { return ENOTSUP; }

key take_key() { return no_key; }
error protect_by_key(std::byte*, std::size_t, access, key) { return ENOTSUP; }
void set_key_access(key, access) {}
access key_access(key) { return access::read_write; }

void seal(std::byte*, std::size_t) {}
error wipe_closed(std::span<std::byte>) { return ENOTSUP; }

error renew_lock(std::byte*, std::size_t) { return ENOTSUP; }
hold lock_held(const std::byte*, std::size_t) { return hold::unknown; }
error foreign_refusal(const std::byte*, std::size_t) { return 0; }
foreign_pages state_of_foreign(const std::byte*) { return {page_size(), false, false, 0}; }

// No call is one that a sandbox kills for.
one_look::one_look() = default;
one_look::~one_look() = default;

}  // namespace lockfast::platform
