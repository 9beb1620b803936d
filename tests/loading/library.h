// library.h - a shared library, loaded while the program runs.
//
// Threads: no state of its own.
#ifndef LOCKFAST_TESTS_LOADING_LIBRARY_H
#define LOCKFAST_TESTS_LOADING_LIBRARY_H

class library {
 public:
  // The set-up fails when there is none at the path.
  explicit library(const char* path);
  // A function by its name: library.find<decltype(name)>("name").
  template <class Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(address_of(name));
  }
  // Gives it up; it may be unloaded.
  void close() const;

 private:
  void* address_of(const char* name) const;

  void* handle_;
};

#endif
