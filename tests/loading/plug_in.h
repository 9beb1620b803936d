/* plug_in.h - what plug_in.c is asked for. */
#ifndef LOCKFAST_TESTS_LOADING_PLUG_IN_H
#define LOCKFAST_TESTS_LOADING_PLUG_IN_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
int use_a_secret(void); /* 0, or -1 when there is no memory */

#ifdef __cplusplus
}
#endif

#endif
