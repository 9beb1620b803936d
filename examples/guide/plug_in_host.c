/* plug_in_host.c - loads a plug-in, uses it and closes it, three times: plug_in_host PATH. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  for (int each = 0; each < 3; each++) {
    void *plug_in = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (plug_in == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    int (*open_it)(void), (*close_it)(void);
    *(void **)&open_it = dlsym(plug_in, "plug_in_open");
    *(void **)&close_it = dlsym(plug_in, "plug_in_close");
    if (open_it == NULL || close_it == NULL || open_it() != 0 || close_it() != 0) return 1;
    if (dlclose(plug_in) != 0) return 1;
  }
  puts(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) != NULL ? "closed, and still in memory" : "gone");
  return 0;
}
