/* late_user.h - a library that uses a secret when the process ends.
 *
 * Threads: one.
 */
#ifndef LOCKFAST_TESTS_LOADING_LATE_USER_H
#define LOCKFAST_TESTS_LOADING_LATE_USER_H

void hold(const unsigned char* secret);

#endif
