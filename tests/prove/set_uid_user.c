/* set_uid_user.c - leaves with 0 when a secret is to be had, under the options of the environment or not. */
#include <lockfast/lockfast.h>
#include <stddef.h>

int main(void) {
  void *const secret = lockfast_malloc(32);
  if (secret == NULL) return 2;
  lockfast_free(secret);
  return 0;
}
