// library_windows.cc - by LoadLibrary.
#include <windows.h>

#include "loading/library.h"
#include "support/child.h"

library::library(const char* path) : handle_(LoadLibraryA(path)) { prove(handle_ != nullptr, "the library, loaded"); }

void* library::address_of(const char* name) const {
  void* const found = reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name));
  prove(found != nullptr, name);
  return found;
}

void library::close() const { prove(FreeLibrary(static_cast<HMODULE>(handle_)) != 0, "FreeLibrary"); }
