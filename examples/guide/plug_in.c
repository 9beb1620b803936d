/* plug_in.c - a plug-in with the static library in it. */
#include <lockfast/lockfast.h>

static unsigned char *key;

int plug_in_open(void);
int plug_in_close(void);

int plug_in_open(void) {
  key = lockfast_malloc(32);
  return key == NULL ? -1 : 0;
}

int plug_in_close(void) {
  lockfast_free(key); /* free what you have: the pages stay with the process, wiped */
  key = NULL;
  return 0;
}
