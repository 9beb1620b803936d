/* loader.c - runs a module, as a language that loads extensions does. */
#include <dlfcn.h>
#include <stddef.h>

int main(int count, char **words) {
  void *const module = count == 2 ? dlopen(words[1], RTLD_NOW) : NULL;
  int (*run)(void) = NULL;
  *(void **)&run = module == NULL ? NULL : dlsym(module, "run");
  return run == NULL ? 2 : run();
}
