/* uses.h - what the programs that run under a checker share. */
#ifndef LOCKFAST_TESTS_CHECKERS_USES_H
#define LOCKFAST_TESTS_CHECKERS_USES_H

#include <stdint.h>

/* Ends the program where that does not hold. */
void require(int holds, const char *what);

/* Uses secrets in every way, of which none is to be reported; verifies meanwhile that their bytes alone are the program's. */
void valid_uses(void);

/* AddressSanitizer knows of each eight bytes how many of the first are the program's: what lies in front of a secret in the same eight
 * bytes, it cannot tell from the secret. Those are at multiples of eight, but for isolated ones of other sizes. */
static inline unsigned char *first_of_eight(unsigned char *at) { return at - (uintptr_t)at % 8; }

#endif
