// no_access_checker.cc - of a host where no tool is asked for: Windows, and the simulated one, whose memory is no program's.
#include "platform/access_checker.h"

namespace lockfast::platform {

constinit std::atomic<bool> checker::found = false;

void find_access_checker() {}

void checker::forbid(const std::byte*, std::size_t) {}
void checker::permit(const std::byte*, std::size_t) {}
void checker::name_secret(const std::byte*, std::size_t) {}
void checker::rename_secret(const std::byte*, std::size_t, std::size_t) {}
void checker::forget_secret(const std::byte*) {}
void checker::pause() {}
void checker::resume() {}
void checker::define(bool&) {}

}  // namespace lockfast::platform
