/* Seconds since some moment, by a clock that only goes forward. */
#ifndef CST_CORE_CLOCK_H
#define CST_CORE_CLOCK_H

#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline double cst_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#ifdef __cplusplus
}
#endif
#endif
