/* by_name.c - a program that opens libsodium while it runs and looks its functions up by name, run with the drop-in preloaded. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <lockfast/lockfast.h>

#pragma weak lockfast_size

enum { skipped = 77 };

static int faults = 0;

static void check(int kept, const char *promise) {
  if (kept) return;
  printf("not so: %s\n", promise);
  ++faults;
}

/* A function is not converted to an object pointer in C, nor back. */
#define LOOK_UP(function, handle, name)              \
  do {                                               \
    void *const found_ = dlsym(handle, name);        \
    memcpy(&(function), &found_, sizeof(function));  \
  } while (0)

static const char *const served[] = {"sodium_malloc",  "sodium_allocarray",          "sodium_free", "sodium_mprotect_noaccess",
                                     "sodium_mprotect_readonly", "sodium_mprotect_readwrite", "sodium_mlock", "sodium_munlock",
                                     "sodium_memzero", "sodium_memcmp",              "sodium_stackzero"};

int main(int argc, char **argv) {
  void *const libsodium = dlopen(argc > 1 ? argv[1] : "libsodium.so.23", RTLD_NOW | RTLD_LOCAL);
  if (libsodium == NULL) {
    printf("skipped: %s\n", dlerror());
    return skipped;
  }
  if (lockfast_size == NULL) {
    puts("the drop-in is not preloaded");
    return 1;
  }
  for (size_t at = 0; at < sizeof served / sizeof *served; ++at) {
    void *const found = dlsym(libsodium, served[at]);
    check(found != NULL && found == dlsym(RTLD_DEFAULT, served[at]), served[at]);
  }

  int (*init)(void);
  void *(*allocate)(size_t);
  void *(*allocate_array)(size_t, size_t);
  void (*release)(void *);
  int (*close_access)(void *);
  LOOK_UP(init, libsodium, "sodium_init");
  LOOK_UP(allocate, libsodium, "sodium_malloc");
  LOOK_UP(allocate_array, libsodium, "sodium_allocarray");
  LOOK_UP(release, libsodium, "sodium_free");
  LOOK_UP(close_access, libsodium, "sodium_mprotect_noaccess");
  check(init() == 0, "libsodium starts");
  void *const one = allocate(32);
  void *const several = allocate_array(4, 8);
  check(lockfast_size(one) == 32 && lockfast_size(several) == 32, "a block is the drop-in's, however it was asked for");
  check(close_access(one) == 0 && close_access(several) == 0, "its access changes");
  release(one);
  release(several);

  void *const other = dlsym(libsodium, "sodium_increment");
  Dl_info where = {0};
  check(other != NULL && dladdr(other, &where) != 0 && strstr(where.dli_fname, "libsodium") != NULL, "the rest is libsodium's");
  check(dlsym(RTLD_NEXT, "lockfast_size") != NULL, "the next library is the one after the caller's, not after the drop-in");
  check(dlsym(RTLD_NEXT, "main") == NULL && dlerror() != NULL, "what there is not is told");
  return faults != 0;
}
