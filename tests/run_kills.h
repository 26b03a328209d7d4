/* A run that dies, at any moment, and is gone on with: what is in its folder can be read, and in the end it is the run that
 * was never interrupted, bit for bit. */
#ifndef CST_TESTS_RUN_KILLS_H
#define CST_TESTS_RUN_KILLS_H

#include <stddef.h>

/* So many kills at random moments; steps of writing: every `stride`-th one. Returns what main is to return. */
int run_kills(size_t kills, size_t stride);

#endif
