/* A run is killed at any moment and resumed. After each kill the files in its folder can be read, and the result is bit
 * for bit that of the run that was never interrupted. */
#ifndef CST_TESTS_RUN_KILLS_H
#define CST_TESTS_RUN_KILLS_H

#include <stddef.h>

/* Kill the run at `kills` random moments, and before every `stride`-th system call that writes. Returns main's exit
 * status. */
int run_kills(size_t kills, size_t stride);

#endif
