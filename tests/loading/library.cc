// library.cc - by dlopen.
#include "loading/library.h"

#include <dlfcn.h>

#include "support/child.h"

library::library(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) say(dlerror());
  prove(handle_ != nullptr, "the library, loaded");
}

void* library::address_of(const char* name) const {
  void* const found = dlsym(handle_, name);
  prove(found != nullptr, name);
  return found;
}

void library::close() const { prove(dlclose(handle_) == 0, "dlclose"); }
